//! A router with one namespace, called as the host.

use std::ops::Deref;

use tailor_idp_core::directory::CallContext;
use tailor_idp_core::local::LocalDirectory;
use tailor_idp_core::{
    CreateUser, HashCost, IdentityProvider, IdpError, MfaKey, NamespaceSettings, Principal, Router,
    SendPasswordResetEmail, UpdateUser, User,
};

use crate::support::{Shared, namespace};

pub(crate) const NAMESPACE: &str = "builtin-idp";

/// The URL that browsers go to after a reset.
pub(crate) const REDIRECT: &str = "https://app.example.com/signed-in";

pub(crate) fn context(principal: Principal) -> CallContext {
    CallContext::new(namespace(NAMESPACE), principal)
}

pub(crate) struct Host {
    pub(crate) router: Router,
    pub(crate) store: Shared,
}

impl Host {
    /// The namespace over a store.
    pub(crate) fn over(store: Shared, settings: NamespaceSettings) -> Self {
        let builder = Router::builder().namespace(namespace(NAMESPACE), store.clone(), settings);
        let builder = builder.mfa_key(MfaKey::new(1, [7; 32]));
        Self { router: builder.hash_cost(HashCost::danger_cheap_for_tests()).build(), store }
    }

    pub(crate) async fn create(&self, name: &str) -> User {
        let user = CreateUser { name: name.into(), ..CreateUser::default() };
        self.router.create_user(&context(Principal::Host), user).await.unwrap()
    }

    pub(crate) async fn update(&self, change: UpdateUser) {
        self.router.update_user(&context(Principal::Host), change).await.unwrap();
    }

    pub(crate) async fn rename(&self, id: &str, name: &str) {
        self.update(UpdateUser { id: id.into(), name: Some(name.into()), ..UpdateUser::default() }).await;
    }

    pub(crate) async fn disable(&self, id: &str) {
        self.update(UpdateUser { id: id.into(), disabled: Some(true), ..UpdateUser::default() }).await;
    }

    pub(crate) async fn delete(&self, id: &str) {
        self.router.delete_user(&context(Principal::Host), id).await.unwrap();
    }

    pub(crate) async fn request_mail(&self, user_id: &str) -> Result<(), IdpError> {
        let (user_id, redirect_uri) = (user_id.to_owned(), REDIRECT.to_owned());
        let mail = SendPasswordResetEmail { user_id, redirect_uri, ..SendPasswordResetEmail::default() };
        self.router.send_password_reset_email(&context(Principal::Host), mail).await
    }

    pub(crate) async fn signs_in(&self, name: &str, password: &str) -> bool {
        self.verify_password(name, password.into()).await.unwrap().is_some()
    }
}

impl Deref for Host {
    type Target = LocalDirectory;

    fn deref(&self) -> &LocalDirectory {
        self.router.local(NAMESPACE).unwrap()
    }
}
