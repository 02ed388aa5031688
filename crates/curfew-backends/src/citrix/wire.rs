//! The vendor's JSON, as far as Curfew reads it: every member optional, borrowed from the answer's bytes.
//!
//! Not here: what any of it means (`map.rs`). Names are the vendor's (`SessionResponseModel` and its kin).
//! Invariant: a member of an unexpected type is as if it were absent; it never costs the row it stands in.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The top-level members that are asked for (`fields=`): those of [`Session`] and no more.
pub(super) const FIELDS: &str = "Id,ApplicationsInUse,Brokering,Client,Connection,IsAnonymousUser,LogoffInProgress,\
                                 LogonInProgress,Machine,SessionType,StartTime,FormattedStartTime,State,\
                                 StateChangeTime,FormattedStateChangeTime,UntrustedUserName,User";

/// One page of a listing. Rows are decoded one by one, so that a bad one costs itself alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) items: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) continuation_token: Text<'a>,
}

/// A session, and also the answer to `$disconnect`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Session<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) applications_in_use: List<Application<'a>>,
    #[serde(borrow)]
    pub(super) brokering: Member<Brokering<'a>>,
    #[serde(borrow)]
    pub(super) client: Member<Client<'a>>,
    #[serde(borrow)]
    pub(super) connection: Member<Connection<'a>>,
    pub(super) is_anonymous_user: Flag,
    pub(super) logoff_in_progress: Flag,
    pub(super) logon_in_progress: Flag,
    #[serde(borrow)]
    pub(super) machine: Member<Machine<'a>>,
    #[serde(borrow)]
    pub(super) session_type: Text<'a>,
    #[serde(borrow)]
    pub(super) start_time: Text<'a>,
    #[serde(borrow)]
    pub(super) formatted_start_time: Text<'a>,
    #[serde(borrow)]
    pub(super) state: Text<'a>,
    #[serde(borrow)]
    pub(super) state_change_time: Text<'a>,
    #[serde(borrow)]
    pub(super) formatted_state_change_time: Text<'a>,
    #[serde(borrow)]
    pub(super) untrusted_user_name: Text<'a>,
    #[serde(borrow)]
    pub(super) user: Member<User<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Application<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Brokering<'a> {
    #[serde(borrow)]
    pub(super) user_name: Text<'a>,
    #[serde(borrow)]
    pub(super) user_sid: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Client<'a> {
    #[serde(borrow, rename = "IPAddress")]
    pub(super) ip_address: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) platform: Text<'a>,
    #[serde(borrow)]
    pub(super) version: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Connection<'a> {
    #[serde(borrow)]
    pub(super) protocol: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Machine<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) dns_name: Text<'a>,
    #[serde(borrow, rename = "IPAddress")]
    pub(super) ip_address: Text<'a>,
}

/// `User.State` exists too and is the postal one: never read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct User<'a> {
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) display_name: Text<'a>,
    #[serde(borrow)]
    pub(super) principal_name: Text<'a>,
    #[serde(borrow)]
    pub(super) sid: Text<'a>,
}

/// A job. A failed one comes with HTTP 200.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Job<'a> {
    #[serde(borrow)]
    pub(super) status: Text<'a>,
    #[serde(borrow)]
    pub(super) error_code: Text<'a>,
    pub(super) overall_progress_percent: Number,
    #[serde(borrow)]
    pub(super) error_parameters: List<Parameter<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameter<'a> {
    #[serde(borrow, alias = "Name")]
    pub(super) name: Text<'a>,
    #[serde(borrow, alias = "Value")]
    pub(super) value: Text<'a>,
}

/// `GET /me`. `ExpiryTime` is never read: the specification says RFC 3339, the sample shows `5:19:11 AM`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Me<'a> {
    #[serde(borrow)]
    pub(super) display_name: Text<'a>,
    #[serde(borrow)]
    pub(super) customers: List<Customer<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Customer<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) sites: List<Site<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Site<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
}

/// The answers of both token services: OAuth's (`expires_in` is a number or a string) and the on-prem one
/// (`Token` in the specification, `token` in the documentation). An `error` may come with HTTP 200.
/// Not `Debug`: it holds the token.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenAnswer<'a> {
    #[serde(borrow, alias = "Token", alias = "token")]
    pub(super) access_token: Text<'a>,
    pub(super) expires_in: Number,
    #[serde(borrow, rename = "ExpiresAt", alias = "expiresAt")]
    pub(super) expires_at: Text<'a>,
    #[serde(borrow)]
    pub(super) error: Text<'a>,
}

/// Both error shapes: `{type, detail, parameters}` and `{ErrorMessage, SdkErrorId, ErrorType, …}`. The texts are
/// localised and never read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorAnswer<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) parameters: List<Parameter<'a>>,
    #[serde(borrow, rename = "SdkErrorId", alias = "sdkErrorId")]
    pub(super) sdk_error_id: Text<'a>,
    #[serde(borrow, rename = "ErrorType", alias = "errorType")]
    pub(super) error_type: Text<'a>,
}

/// The body of `$sendMessage`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage<'a> {
    pub(super) style: &'a str,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// Decodes an answer. A byte order mark, as .NET servers may send one, is passed over.
pub(super) fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))
}

macro_rules! lenient_numbers {
    ($($visit:ident: $Type:ty),+) => {
        $(fn $visit<E>(self, _: $Type) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })+
    };
}

macro_rules! lenient_rest {
    (map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (unit) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
    (str) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

/// A string, or nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(Option<Cow<'a, str>>);

impl<'a> Text<'a> {
    /// The text, unless it is missing or blank.
    pub(super) fn get(&self) -> Option<&str> {
        let text = self.0.as_deref()?.trim();
        (!text.is_empty()).then_some(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text))))
            }
            lenient_numbers!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
            lenient_rest!(unit);
            lenient_rest!(seq);
            lenient_rest!(map);
        }
        deserializer.deserialize_any(V)
    }
}

/// `true`, or anything else.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            lenient_numbers!(visit_i64: i64, visit_u64: u64, visit_f64: f64);
            lenient_rest!(unit);
            lenient_rest!(str);
            lenient_rest!(seq);
            lenient_rest!(map);
        }
        deserializer.deserialize_any(V)
    }
}

/// A whole number, also one written as a string.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(Some(value)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.trim().parse().ok()))
            }
            lenient_numbers!(visit_bool: bool, visit_i64: i64, visit_f64: f64);
            lenient_rest!(unit);
            lenient_rest!(seq);
            lenient_rest!(map);
        }
        deserializer.deserialize_any(V)
    }
}

/// An object, or its default.
#[derive(Debug, Default)]
pub(super) struct Member<T>(pub(super) T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for V<T> {
            type Value = Member<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Member)
            }
            lenient_numbers!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
            lenient_rest!(unit);
            lenient_rest!(str);
            lenient_rest!(seq);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}

/// A list of objects, or an empty one.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for V<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(Member(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(List(items))
            }
            lenient_numbers!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
            lenient_rest!(unit);
            lenient_rest!(str);
            lenient_rest!(map);
        }
        deserializer.deserialize_any(V(PhantomData))
    }
}
