//! The one thing that must be said per driver: how values and pieces become a driver's arguments.
//!
//! A macro, because sqlx's bounds for "any database" drown the code; after expansion all types are concrete.
//! Invariant: parameters are bound in the order given, so `$n` is the n-th.

/// Makes the functions `arguments`, `query` and `fetch` for a driver.
macro_rules! driver {
    ($Db:ty, $Arguments:ty, $Connection:ty) => {
        fn arguments(params: Vec<Param<'_>>) -> Result<$Arguments, StoreError> {
            let mut arguments = <$Arguments>::default();
            Arguments::reserve(&mut arguments, params.len(), params.len() * 24);
            for param in params {
                match param {
                    Param::Uuid(id) => Arguments::add(&mut arguments, id),
                    Param::Text(text) => Arguments::add(&mut arguments, text.as_deref()),
                    Param::Int(number) => Arguments::add(&mut arguments, number),
                    Param::Time(at) => Arguments::add(&mut arguments, at),
                    Param::Json(json) => Arguments::add(&mut arguments, json.map(Json)),
                    Param::Seconds(seconds) => Arguments::add(&mut arguments, seconds),
                }
                .map_err(error::refused)?;
            }
            Ok(arguments)
        }

        async fn fetch<T: AnyRow>(
            connection: &mut $Connection,
            query: Query<'_>,
        ) -> Result<Vec<T>, StoreError> {
            let rows = match query {
                Query::Fixed(text, params) => {
                    let arguments = arguments(params)?;
                    sqlx::query_as_with::<$Db, T, _>(text, arguments)
                        .fetch_all(connection)
                        .await
                }
                Query::Built(pieces) => {
                    let mut builder = QueryBuilder::<$Db>::new("");
                    for piece in pieces {
                        match piece {
                            Piece::Sql(text) => builder.push(text),
                            Piece::Bind(Param::Uuid(id)) => builder.push_bind(id),
                            Piece::Bind(Param::Text(text)) => builder.push_bind(text.map(Cow::into_owned)),
                            Piece::Bind(Param::Int(number)) => builder.push_bind(number),
                            Piece::Bind(Param::Time(at)) => builder.push_bind(at),
                            Piece::Bind(Param::Json(json)) => builder.push_bind(json.map(Json)),
                            Piece::Bind(Param::Seconds(seconds)) => builder.push_bind(seconds),
                        };
                    }
                    builder.build_query_as::<T>().fetch_all(connection).await
                }
            };
            rows.map_err(error::of_read)
        }
    };
}
pub(crate) use driver;
