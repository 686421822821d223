//! MFA factors.

use super::error::shortened;
use super::model::UnenrollMfa;
use super::namespace::{Namespace, failed, user_not_found};
use super::permission::Operation;
use super::{Code, IdpError, Principal};
use crate::store::MfaStore;

impl Namespace {
    pub(super) async fn enroll_mfa(&self, user_id: &str) -> Result<String, IdpError> {
        let factor = self.factors()?.add_factor(user_id, self.publishes()).await.map_err(failed)?;
        factor.ok_or_else(|| user_not_found(user_id))
    }

    /// Needs its own permission, and `read` on the user.
    pub(super) async fn unenroll_mfa(&self, principal: &Principal, input: UnenrollMfa) -> Result<(), IdpError> {
        let UnenrollMfa { user_id, mfa_factor_id } = input;
        let options = self.write_all(&[Operation::UnenrollMfa, Operation::Read], principal);
        match self.factors()?.remove_factor(&user_id, &mfa_factor_id, options).await.map_err(failed)? {
            Some(true) => Ok(()),
            Some(false) => Err(IdpError::not_found(format!("MFA factor not found: {}", shortened(&mfa_factor_id)))),
            None => Err(user_not_found(&user_id)),
        }
    }

    fn factors(&self) -> Result<&dyn MfaStore, IdpError> {
        if !self.policy().enable_mfa {
            return Err(IdpError::failed_precondition(format!("MFA is not enabled in namespace {}", self.name)));
        }
        let missing =
            || IdpError::new(Code::Unimplemented, format!("the store of namespace {} keeps no MFA factors", self.name));
        self.store.mfa().ok_or_else(missing)
    }
}
