//! What the ops call, and all they know of the identity provider.

use super::{
    CreateUser, IdpError, ListUsers, Principal, SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserPage,
};

/// The eight operations behind `tailor.idp.Client`, each in a namespace of the host's.
///
/// [`Idp`](crate::idp::Idp) is the implementation; a host can wrap it, or bring another.
///
/// # Errors
///
/// All fail with [`Code::NotFound`](super::Code::NotFound) for a namespace that is not there, and with
/// [`Code::InvalidArgument`](super::Code::InvalidArgument) for a value that is against the rules. All but those of
/// [`Principal::Host`] can fail with [`Code::PermissionDenied`](super::Code::PermissionDenied).
#[async_trait::async_trait]
pub trait IdentityProvider: Send + Sync + 'static {
    /// One page of users, in creation order.
    async fn users(&self, namespace: &str, principal: &Principal, options: ListUsers) -> Result<UserPage, IdpError>;

    /// The user with this id.
    async fn user(&self, namespace: &str, principal: &Principal, user_id: &str) -> Result<User, IdpError>;

    /// The user with this name, normalised as names are.
    async fn user_by_name(&self, namespace: &str, principal: &Principal, name: &str) -> Result<User, IdpError>;

    /// Creates a user, whole or not at all.
    async fn create_user(&self, namespace: &str, principal: &Principal, input: CreateUser) -> Result<User, IdpError>;

    /// Changes a user, whole or not at all.
    async fn update_user(&self, namespace: &str, principal: &Principal, input: UpdateUser) -> Result<User, IdpError>;

    /// Deletes a user and all that is theirs.
    async fn delete_user(&self, namespace: &str, principal: &Principal, user_id: &str) -> Result<(), IdpError>;

    /// Queues a password-reset mail; done when it is queued.
    async fn send_password_reset_email(
        &self,
        namespace: &str,
        principal: &Principal,
        input: SendPasswordResetEmail,
    ) -> Result<(), IdpError>;

    /// Takes an MFA factor from a user.
    async fn unenroll_mfa(&self, namespace: &str, principal: &Principal, input: UnenrollMfa) -> Result<(), IdpError>;
}
