//! The caller of client methods: which identity provider it calls, and on whose behalf.

use std::sync::Arc;
use std::time::Instant;

use deno_core::v8::{self, Local, PinScope};

use crate::idp::{CallContext, IdentityProvider, NamespaceName, Principal};

/// The maximum length of a namespace name, in characters.
const MAX_NAMESPACE: usize = 63;

/// The execution that makes the calls, for their context. Set by the function runtime; empty in a runtime of the host.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallScope {
    /// The time at which the execution is terminated.
    pub(crate) deadline: Option<Instant>,
    /// The id of the execution: see [`CallContext::execution_id`].
    pub(crate) id: Option<Arc<str>>,
}

/// What the calls of an isolate have in common. Kept in the [`OpState`](deno_core::OpState).
pub(crate) struct Caller {
    idp: Arc<dyn IdentityProvider>,
    principal: Principal,
    scope: CallScope,
    /// The context of the latest call: most scripts use one namespace.
    context: Option<Arc<CallContext>>,
}

/// The identity provider and the context of a call.
pub(super) struct CallTarget {
    pub(super) idp: Arc<dyn IdentityProvider>,
    pub(super) context: Arc<CallContext>,
}

impl Caller {
    pub(super) fn new(idp: Arc<dyn IdentityProvider>, principal: Principal) -> Self {
        Self { idp, principal, scope: CallScope::default(), context: None }
    }

    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Starts an execution.
    pub(crate) fn begin(&mut self, principal: Principal, scope: CallScope) {
        *self = Self { principal, scope, ..Self::new(Arc::clone(&self.idp), Principal::Anonymous) };
    }

    /// Ends an execution. The principal remains for calls that its JavaScript still makes.
    pub(crate) fn end(&mut self) {
        self.begin(self.principal.clone(), CallScope::default());
    }

    /// The target of a call by a client of the namespace. `None` if no client can have this namespace.
    pub(super) fn target(&mut self, scope: &PinScope<'_, '_>, namespace: Local<'_, v8::String>) -> Option<CallTarget> {
        // Copied to the stack: this is part of every call.
        let mut units = [0; MAX_NAMESPACE];
        let units = units.get_mut(..namespace.length())?;
        namespace.write_v2(scope, 0, units, v8::WriteFlags::empty());
        let context = match &self.context {
            Some(context) if context.namespace.as_str().bytes().map(u16::from).eq(units.iter().copied()) => {
                Arc::clone(context)
            }
            _ => {
                let namespace = NamespaceName::new(&String::from_utf16(units).ok()?).ok()?;
                let mut context = CallContext::new(namespace, self.principal.clone());
                context.deadline = self.scope.deadline;
                context.execution_id = self.scope.id.clone();
                Arc::clone(self.context.insert(Arc::new(context)))
            }
        };
        Some(CallTarget { idp: Arc::clone(&self.idp), context })
    }
}
