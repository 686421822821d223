//! Message ports whose queued messages count as external memory.
//!
//! The ops replace those of deno_web, which queue messages without a limit. The ports themselves are those of deno_web.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{
    CancelFuture, CancelHandle, DetachedBuffer, JsBuffer, OpState, RcRef, Resource, ResourceId, TransferredResource,
    op2,
};
use deno_error::JsErrorBox;
use deno_web::{JsMessageData, MessagePort, MessagePortError, RecvMessageData, create_entangled_message_port};
use parking_lot::Mutex;

use super::external_memory::{Charge, ExternalMemory};

/// Estimated size of a port in bytes: its resource, and the first block of its queue.
const PORT: usize = 4096;

/// Estimated overhead of a message in bytes, excluding its data.
const MESSAGE: usize = 128;

/// The messages queued at a port.
struct Queue {
    memory: ExternalMemory,
    /// Bytes of the messages. `None` once the port is closed.
    bytes: Mutex<Option<usize>>,
}

impl Queue {
    fn new(memory: &ExternalMemory) -> Arc<Self> {
        Arc::new(Self { memory: memory.clone(), bytes: Mutex::new(Some(0)) })
    }

    fn add(&self, data: &[u8]) {
        if let Some(bytes) = &mut *self.bytes.lock() {
            let message = data.len() + MESSAGE;
            *bytes += message;
            self.memory.add(message);
        }
    }

    fn remove(&self, data: &[u8]) {
        if let Some(bytes) = &mut *self.bytes.lock() {
            let message = data.len() + MESSAGE;
            *bytes -= message;
            self.memory.release(message);
        }
    }

    /// Releases the messages, which are dropped with the port.
    fn close(&self) {
        if let Some(bytes) = self.bytes.lock().take() {
            self.memory.release(bytes);
        }
    }
}

struct Port {
    port: MessagePort,
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
    _charge: Charge,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.incoming.close();
    }
}

impl TransferredResource for Port {
    fn receive(self: Box<Self>) -> Rc<dyn Resource> {
        Rc::new(PortResource { port: *self, cancel: CancelHandle::new() })
    }
}

struct PortResource {
    port: Port,
    cancel: CancelHandle,
}

impl Resource for PortResource {
    fn name(&self) -> Cow<'_, str> {
        "messagePort".into()
    }

    fn close(self: Rc<Self>) {
        self.cancel.cancel();
    }

    fn transfer(self: Rc<Self>) -> Result<Box<dyn TransferredResource>, JsErrorBox> {
        self.cancel.cancel();
        let resource = Rc::try_unwrap(self).map_err(|_| JsErrorBox::from_err(MessagePortError::NotReady))?;
        Ok(Box::new(resource.port))
    }
}

fn port(state: &OpState, id: ResourceId) -> Result<Rc<PortResource>, MessagePortError> {
    state.resource_table.get(id).map_err(MessagePortError::Resource)
}

#[op2]
pub(super) fn op_message_port_create_entangled(state: &mut OpState) -> (ResourceId, ResourceId) {
    let memory = ExternalMemory::of(state);
    let (one, other) = create_entangled_message_port();
    let (to_one, to_other) = (Queue::new(&memory), Queue::new(&memory));
    let mut add = |port, incoming: &Arc<Queue>, outgoing: &Arc<Queue>| {
        let (incoming, outgoing) = (Arc::clone(incoming), Arc::clone(outgoing));
        let port = Port { port, incoming, outgoing, _charge: memory.charge(PORT) };
        state.resource_table.add(PortResource { port, cancel: CancelHandle::new() })
    };
    (add(one, &to_one, &to_other), add(other, &to_other, &to_one))
}

#[op2]
pub(super) fn op_message_port_post_message(
    state: &mut OpState,
    #[smi] id: ResourceId,
    #[serde] message: JsMessageData,
) -> Result<(), MessagePortError> {
    // The JavaScript of deno_web rejects a message that transfers the port itself.
    let resource = port(state, id)?;
    let Port { port, outgoing, .. } = &resource.port;
    outgoing.add(&message.data);
    port.send(state, message)
}

#[op2]
pub(super) fn op_message_port_post_message_raw(
    state: &mut OpState,
    #[smi] id: ResourceId,
    #[buffer(detach)] data: JsBuffer,
) -> Result<(), MessagePortError> {
    let resource = port(state, id)?;
    let Port { port, outgoing, .. } = &resource.port;
    outgoing.add(&data);
    port.send(state, JsMessageData { data: DetachedBuffer::from_v8slice(data.into_parts()), transferables: Vec::new() })
}

#[op2]
pub(super) async fn op_message_port_recv_message(
    state: Rc<RefCell<OpState>>,
    #[smi] id: ResourceId,
) -> Result<Option<RecvMessageData>, MessagePortError> {
    let Ok(resource) = port(&state.borrow(), id) else { return Ok(None) };
    let cancel = RcRef::map(Rc::clone(&resource), |resource| &resource.cancel);
    let message = resource.port.port.recv(state).or_cancel(cancel).await??;
    match &message {
        Some(RecvMessageData::Raw(data)) => resource.port.incoming.remove(data),
        Some(RecvMessageData::Full(message)) => resource.port.incoming.remove(&message.data),
        None => {}
    }
    Ok(message)
}
