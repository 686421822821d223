//! Select lists whose column numbers cannot differ from the query.

use rusqlite::Row;
use rusqlite::types::FromSql;

/// The value of a row with one column.
pub(super) fn scalar<T: FromSql>(row: &Row<'_>) -> Result<T, rusqlite::Error> {
    row.get(0)
}

/// Declares a select list: a macro that expands to its SQL, and a module with the number of each column.
macro_rules! select_list {
    ($(#[$attribute:meta])* $list:ident, $columns:ident {
        $first:ident = $first_sql:literal $(, $column:ident = $sql:literal)* $(,)?
    }) => {
        $(#[$attribute])*
        macro_rules! $list {
            () => { concat!($first_sql $(, ", ", $sql)*) };
        }

        mod $columns {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Position { $first $(, $column)*, END }

            pub(super) const $first: usize = Position::$first as usize;
            $(pub(super) const $column: usize = Position::$column as usize;)*
            /// The number of columns: a column that a query adds has this number.
            #[allow(dead_code)]
            pub(super) const END: usize = Position::END as usize;
        }
    };
}

pub(super) use select_list;
