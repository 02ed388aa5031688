//! Scalars of our own.
//!
//! Not here: `DateTime`, which comes with async-graphql.
//! Invariant: a count is never rounded on its way to a client.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A count of up to 64 bits, as a string: byte counters pass 2^53, which JSON numbers do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub u64);

/// A count of up to 64 bits, as a string: byte counters pass 2^53, which JSON numbers do not.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}
