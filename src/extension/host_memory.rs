//! Size of the arguments of calls, which the host holds until the calls have run.

use crate::idp::{CreateUser, ExposeSecret, ListUsers, Password, SendPasswordResetEmail, UnenrollMfa, UpdateUser};

/// The argument of a client method.
pub(super) trait Argument {
    /// Bytes of text that the argument holds outside of the V8 heap. Numbers and booleans do not count.
    fn text_bytes(&self) -> usize;
}

impl Argument for String {
    fn text_bytes(&self) -> usize {
        self.len()
    }
}

impl<T: Argument> Argument for Option<T> {
    fn text_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::text_bytes)
    }
}

impl<T: Argument> Argument for Vec<T> {
    fn text_bytes(&self) -> usize {
        self.iter().map(|entry| size_of::<T>() + entry.text_bytes()).sum()
    }
}

impl Argument for Password {
    fn text_bytes(&self) -> usize {
        self.expose_secret().len()
    }
}

impl Argument for ListUsers {
    fn text_bytes(&self) -> usize {
        let Self { first: _, after, query } = self;
        after.text_bytes() + query.ids.text_bytes() + query.names.text_bytes()
    }
}

impl Argument for CreateUser {
    fn text_bytes(&self) -> usize {
        let Self { name, password, disabled: _ } = self;
        name.text_bytes() + password.text_bytes()
    }
}

impl Argument for UpdateUser {
    fn text_bytes(&self) -> usize {
        let Self { id, name, password, clear_password: _, disabled: _ } = self;
        id.text_bytes() + name.text_bytes() + password.text_bytes()
    }
}

impl Argument for SendPasswordResetEmail {
    fn text_bytes(&self) -> usize {
        let Self { user_id, redirect_uri, from_name, subject } = self;
        user_id.text_bytes() + redirect_uri.text_bytes() + from_name.text_bytes() + subject.text_bytes()
    }
}

impl Argument for UnenrollMfa {
    fn text_bytes(&self) -> usize {
        let Self { user_id, mfa_factor_id } = self;
        user_id.text_bytes() + mfa_factor_id.text_bytes()
    }
}
