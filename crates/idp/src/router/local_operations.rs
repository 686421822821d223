//! Operations of [`LocalDirectory`](crate::local::LocalDirectory), by namespace.
//!
//! Each fails with [`Code::NotFound`](crate::model::Code::NotFound) if the namespace does not exist, with
//! [`Code::Unimplemented`](crate::model::Code::Unimplemented) if its users are not in a store, and else as the method of
//! `LocalDirectory` with the same name.

use super::Router;
use crate::local::{
    Enrollment, ImportBatch, ImportError, ImportUser, PasswordReset, ResetPasswordError, ResetToken, SignIn,
};
use crate::model::{IdpError, Password};
use crate::store::Imported;

impl Router {
    /// See [`LocalDirectory::verify_password`](crate::local::LocalDirectory::verify_password).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn verify_password(
        &self,
        namespace: &str,
        name: &str,
        password: Password,
    ) -> Result<Option<SignIn>, IdpError> {
        self.local(namespace)?.verify_password(name, password).await
    }

    /// See [`LocalDirectory::verify_mfa`](crate::local::LocalDirectory::verify_mfa).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn verify_mfa(&self, namespace: &str, user_id: &str, code: &str) -> Result<bool, IdpError> {
        self.local(namespace)?.verify_mfa(user_id, code).await
    }

    /// See [`LocalDirectory::begin_mfa_enrollment`](crate::local::LocalDirectory::begin_mfa_enrollment).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn begin_mfa_enrollment(&self, namespace: &str, user_id: &str) -> Result<Enrollment, IdpError> {
        self.local(namespace)?.begin_mfa_enrollment(user_id).await
    }

    /// See [`LocalDirectory::confirm_mfa_enrollment`](crate::local::LocalDirectory::confirm_mfa_enrollment).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn confirm_mfa_enrollment(
        &self,
        namespace: &str,
        user_id: &str,
        factor_id: &str,
        code: &str,
    ) -> Result<bool, IdpError> {
        self.local(namespace)?.confirm_mfa_enrollment(user_id, factor_id, code).await
    }

    /// See [`LocalDirectory::reset_link`](crate::local::LocalDirectory::reset_link).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn reset_link(&self, namespace: &str, token: &ResetToken) -> Result<PasswordReset, ResetPasswordError> {
        self.local(namespace).map_err(ResetPasswordError::Failed)?.reset_link(token).await
    }

    /// See [`LocalDirectory::reset_password`](crate::local::LocalDirectory::reset_password).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn reset_password(
        &self,
        namespace: &str,
        token: &ResetToken,
        password: Password,
    ) -> Result<PasswordReset, ResetPasswordError> {
        self.local(namespace).map_err(ResetPasswordError::Failed)?.reset_password(token, password).await
    }

    /// See [`LocalDirectory::import_users`](crate::local::LocalDirectory::import_users).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub async fn import_users(&self, namespace: &str, users: Vec<ImportUser>) -> Result<Imported, ImportError> {
        self.local(namespace)?.import_users(users).await
    }

    /// See [`LocalDirectory::import_batch`](crate::local::LocalDirectory::import_batch).
    ///
    /// # Errors
    ///
    /// As there, and of [`local`](Self::local).
    pub fn import_batch(&self, namespace: &str, users: Vec<ImportUser>) -> Result<ImportBatch, ImportError> {
        self.local(namespace)?.import_batch(users)
    }
}
