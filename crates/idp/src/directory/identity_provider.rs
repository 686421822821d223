//! The interface for callers: the eight operations of `tailor.idp.Client`.

use async_trait::async_trait;

use super::CallContext;
use crate::model::{
    CreateUser, IdpError, ListUsers, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserPage,
};

/// The eight operations of `tailor.idp.Client`, in the namespace of the context and on behalf of its principal.
///
/// [`Router`](crate::Router) implements it over directories. A host can wrap it, for example to log calls.
///
/// All methods fail with [`Code::NotFound`](crate::model::Code::NotFound) for an unknown namespace, with
/// [`Code::InvalidArgument`](crate::model::Code::InvalidArgument) for an invalid value, with
/// [`Code::PermissionDenied`](crate::model::Code::PermissionDenied) unless the principal is the host or is permitted, and with
/// [`Code::Unimplemented`](crate::model::Code::Unimplemented) for what the backend does not support.
///
/// A user who does not exist is [`Code::NotFound`](crate::model::Code::NotFound) for a principal who may read every user. For
/// others it is the same [`Code::PermissionDenied`](crate::model::Code::PermissionDenied) as for a user out of reach.
#[async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// Lists a page of users, in creation order.
    ///
    /// # Errors
    ///
    /// As described at [`IdentityProvider`].
    async fn users(&self, context: &CallContext, request: ListUsers) -> Result<UserPage, IdpError>;

    /// Returns the user with this id or name. Names are normalised.
    ///
    /// # Errors
    ///
    /// As described at [`IdentityProvider`].
    async fn user(&self, context: &CallContext, key: UserKey<'_>) -> Result<User, IdpError>;

    /// Creates a user.
    ///
    /// # Errors
    ///
    /// As described at [`IdentityProvider`]; [`Code::AlreadyExists`](crate::model::Code::AlreadyExists) if the name is taken.
    async fn create_user(&self, context: &CallContext, request: CreateUser) -> Result<User, IdpError>;

    /// Updates a user, and returns the updated user, even if the principal may not read the user. The name that the user has
    /// is not validated again.
    ///
    /// # Errors
    ///
    /// As of [`create_user`](Self::create_user).
    async fn update_user(&self, context: &CallContext, request: UpdateUser) -> Result<User, IdpError>;

    /// Deletes a user and everything that belongs to the user.
    ///
    /// # Errors
    ///
    /// As of [`user`](Self::user).
    async fn delete_user(&self, context: &CallContext, user_id: &str) -> Result<(), IdpError>;

    /// Queues a password-reset mail. Returns when the mail is queued.
    ///
    /// # Errors
    ///
    /// As of [`user`](Self::user); [`Code::FailedPrecondition`](crate::model::Code::FailedPrecondition) if passwords cannot be
    /// reset by mail, the user is disabled or the name is not an e-mail address, [`Code::ResourceExhausted`](crate::model::Code::ResourceExhausted) above the rate limit.
    async fn send_password_reset_email(
        &self,
        context: &CallContext,
        request: SendPasswordResetEmail,
    ) -> Result<(), IdpError>;

    /// Removes an MFA factor from a user.
    ///
    /// # Errors
    ///
    /// As of [`user`](Self::user); [`Code::FailedPrecondition`](crate::model::Code::FailedPrecondition) if MFA is disabled.
    async fn unenroll_mfa(&self, context: &CallContext, request: UnenrollMfa) -> Result<(), IdpError>;
}
