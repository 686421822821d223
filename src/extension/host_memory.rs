//! Size of the arguments of calls, which the host holds until the calls have run.

use crate::idp::{CreateUser, ExposeSecret, ListUsers, Password, SendPasswordResetEmail, UnenrollMfa, UpdateUser};

/// Memory of a value outside of the V8 heap.
pub(super) trait HostMemory {
    /// Bytes that the value holds on the host's heap.
    fn heap_bytes(&self) -> usize;
}

impl HostMemory for String {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl<T: HostMemory> HostMemory for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }
}

impl<T: HostMemory> HostMemory for Vec<T> {
    fn heap_bytes(&self) -> usize {
        self.iter().map(|entry| size_of::<T>() + entry.heap_bytes()).sum()
    }
}

impl HostMemory for Password {
    fn heap_bytes(&self) -> usize {
        self.expose_secret().len()
    }
}

impl HostMemory for ListUsers {
    fn heap_bytes(&self) -> usize {
        let Self { first: _, after, query } = self;
        after.heap_bytes() + query.ids.heap_bytes() + query.names.heap_bytes()
    }
}

impl HostMemory for CreateUser {
    fn heap_bytes(&self) -> usize {
        let Self { name, password, disabled: _ } = self;
        name.heap_bytes() + password.heap_bytes()
    }
}

impl HostMemory for UpdateUser {
    fn heap_bytes(&self) -> usize {
        let Self { id, name, password, clear_password: _, disabled: _ } = self;
        id.heap_bytes() + name.heap_bytes() + password.heap_bytes()
    }
}

impl HostMemory for SendPasswordResetEmail {
    fn heap_bytes(&self) -> usize {
        let Self { user_id, redirect_uri, from_name, subject } = self;
        user_id.heap_bytes() + redirect_uri.heap_bytes() + from_name.heap_bytes() + subject.heap_bytes()
    }
}

impl HostMemory for UnenrollMfa {
    fn heap_bytes(&self) -> usize {
        let Self { user_id, mfa_factor_id } = self;
        user_id.heap_bytes() + mfa_factor_id.heap_bytes()
    }
}
