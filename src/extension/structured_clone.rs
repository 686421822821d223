//! Structured clones: of `structuredClone`, and of messages.
//!
//! The ops replace those of deno_core, which panic if an object that a script has marked as a host object, or its clone, is not what
//! they expect. An object is marked by a property with a symbol that scripts can reach, so that nothing about it is certain.
//!
//! V8 forbids JavaScript while it reads a clone, and aborts the process if an accessor runs nevertheless: reads only own
//! properties.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use deno_core::convert::Uint8Array;
use deno_core::v8::{
    self, Array, ArrayBuffer, BackingStore, Function, Local, Object, PinScope, SharedArrayBuffer, SharedRef, Symbol,
    Value, ValueDeserializerHelper, ValueSerializerHelper,
};
use deno_core::{JsBuffer, OpState, op2};
use deno_error::JsErrorBox;

/// Index that marks an object that is cloned by its own function, rather than transferred.
const CLONED: u32 = u32::MAX;

/// Memory of buffers between their transfer and their receipt, in the [`OpState`] of an isolate.
#[derive(Default)]
struct TransferredBuffers {
    buffers: HashMap<u32, SharedRef<BackingStore>>,
    last_id: u32,
}

impl TransferredBuffers {
    fn of(state: &mut OpState) -> Rc<RefCell<Self>> {
        if !state.has::<Rc<RefCell<Self>>>() {
            state.put(Rc::<RefCell<Self>>::default());
        }
        Rc::clone(state.borrow())
    }

    fn insert(&mut self, buffer: SharedRef<BackingStore>) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.buffers.insert(self.last_id, buffer);
        self.last_id
    }
}

struct Writer<'a> {
    host_objects: Option<Local<'a, Array>>,
    on_error: Option<Local<'a, Function>>,
    brand: Local<'a, Symbol>,
    buffers: Rc<RefCell<TransferredBuffers>>,
}

impl v8::ValueSerializerImpl for Writer<'_> {
    fn throw_data_clone_error<'s>(&self, scope: &mut PinScope<'s, '_>, message: Local<'s, v8::String>) {
        if let Some(on_error) = self.on_error {
            v8::tc_scope!(let scope, scope);
            let undefined = v8::undefined(scope).into();
            on_error.call(scope, undefined, &[message.into()]);
            if scope.has_caught() || scope.has_terminated() {
                scope.rethrow();
                return;
            }
        }
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }

    fn has_custom_host_object(&self, _isolate: &v8::Isolate) -> bool {
        true
    }

    fn is_host_object<'s>(&self, scope: &mut PinScope<'s, '_>, object: Local<'s, Object>) -> Option<bool> {
        object.has(scope, self.brand.into())
    }

    fn write_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        object: Local<'s, Object>,
        serializer: &dyn ValueSerializerHelper,
    ) -> Option<bool> {
        let brand = object.get(scope, self.brand.into())?;
        if let Ok(clone) = brand.try_cast::<Function>() {
            let clone = clone.call(scope, object.into(), &[])?;
            serializer.write_uint32(CLONED);
            return serializer.write_value(scope.get_current_context(), clone);
        }
        if let Some(host_objects) = self.host_objects {
            for index in 0..host_objects.length() {
                if host_objects.get_index(scope, index)? == object {
                    serializer.write_uint32(index);
                    return Some(true);
                }
            }
        }
        let message = v8::String::new(scope, "Unsupported object type")?;
        self.throw_data_clone_error(scope, message);
        None
    }

    fn get_shared_array_buffer_id<'s>(
        &self,
        _scope: &mut PinScope<'s, '_>,
        buffer: Local<'s, SharedArrayBuffer>,
    ) -> Option<u32> {
        Some(self.buffers.borrow_mut().insert(buffer.get_backing_store()))
    }

    fn get_wasm_module_transfer_id(
        &self,
        _scope: &mut PinScope<'_, '_>,
        _module: Local<v8::WasmModuleObject>,
    ) -> Option<u32> {
        None
    }
}

struct Reader<'a> {
    host_objects: Option<Local<'a, Array>>,
    /// Functions that create objects from their clones, by the `type` of the clone. Has no prototype.
    deserializers: Option<Local<'a, Object>>,
    buffers: Rc<RefCell<TransferredBuffers>>,
}

impl Reader<'_> {
    fn read_clone<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, Object>> {
        let clone = deserializer.read_value(scope.get_current_context())?;
        let deserializers = self.deserializers?;
        let key = v8::String::new(scope, "type")?;
        let kind = own_property(scope, clone.try_cast().ok()?, key.into())?.try_cast::<v8::String>().ok()?;
        let create = own_property(scope, deserializers, kind.into())?.try_cast::<Function>().ok()?;
        let this = v8::null(scope).into();
        let scope = std::pin::pin!(v8::AllowJavascriptExecutionScope::new(scope));
        let scope = &mut scope.init();
        create.call(scope, this, &[clone])?.try_cast().ok()
    }
}

impl v8::ValueDeserializerImpl for Reader<'_> {
    fn read_host_object<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        deserializer: &dyn ValueDeserializerHelper,
    ) -> Option<Local<'s, Object>> {
        v8::tc_scope!(let scope, scope);
        let mut index = 0;
        let object = match deserializer.read_uint32(&mut index) {
            true if index == CLONED => self.read_clone(scope, deserializer),
            true => self
                .host_objects
                .and_then(|objects| own_property_at(scope, objects, index))
                .and_then(|object| object.try_cast().ok()),
            false => None,
        };
        if object.is_none() {
            if !scope.has_caught()
                && let Some(message) = v8::String::new(scope, "Failed to deserialize host object")
            {
                let error = v8::Exception::error(scope, message);
                scope.throw_exception(error);
            }
            scope.rethrow();
        }
        object
    }

    fn get_shared_array_buffer_from_id<'s>(
        &self,
        scope: &mut PinScope<'s, '_>,
        id: u32,
    ) -> Option<Local<'s, SharedArrayBuffer>> {
        let buffer = self.buffers.borrow_mut().buffers.remove(&id)?;
        Some(SharedArrayBuffer::with_backing_store(scope, &buffer))
    }

    fn get_wasm_module_from_id<'s>(
        &self,
        _scope: &mut PinScope<'s, '_>,
        _id: u32,
    ) -> Option<Local<'s, v8::WasmModuleObject>> {
        None
    }
}

/// A property of the object itself: the prototype can have accessors of the script.
fn own_property<'s>(
    scope: &mut PinScope<'s, '_>,
    object: Local<'_, Object>,
    key: Local<'_, v8::Name>,
) -> Option<Local<'s, Value>> {
    object.has_own_property(scope, key)?.then_some(())?;
    object.get(scope, key.into())
}

fn own_property_at<'s>(scope: &mut PinScope<'s, '_>, list: Local<'_, Array>, index: u32) -> Option<Local<'s, Value>> {
    let key = v8::Integer::new_from_unsigned(scope, index).to_string(scope)?;
    own_property(scope, list.into(), key.into())
}

/// Symbol of the property that marks host objects in deno_core and in the web extensions.
fn brand<'s>(scope: &mut PinScope<'s, '_>) -> Result<Local<'s, Symbol>, JsErrorBox> {
    let name =
        v8::String::new(scope, "Deno.core.hostObject").ok_or_else(|| error("there is no memory for a symbol"))?;
    Ok(Symbol::for_key(scope, name))
}

fn error(message: &'static str) -> JsErrorBox {
    JsErrorBox::type_error(message)
}

/// An optional parameter of the given type.
fn optional<'s, T>(value: Option<Local<'s, Value>>, name: &'static str) -> Result<Option<Local<'s, T>>, JsErrorBox>
where
    Local<'s, T>: TryFrom<Local<'s, Value>>,
{
    let cast = |value| Local::<T>::try_from(value).map_err(|_| error(name));
    value.filter(|value| !value.is_null_or_undefined()).map(cast).transpose()
}

/// Serializes a value. `None` if an exception is pending.
fn write<'s>(
    scope: &mut PinScope<'s, '_>,
    value: Local<'s, Value>,
    writer: Writer<'s>,
    transferred: Option<Local<'s, Array>>,
) -> Result<Option<Vec<u8>>, JsErrorBox> {
    let buffers = Rc::clone(&writer.buffers);
    let serializer = v8::ValueSerializer::new(scope, Box::new(writer));
    serializer.write_header();
    // V8 checks that buffers are attached when it writes their views: they are detached afterwards.
    let mut to_detach = Vec::new();
    if let Some(transferred) = transferred {
        for index in 0..transferred.length() {
            let buffer = transferred.get_index(scope, index).and_then(|buffer| buffer.try_cast::<ArrayBuffer>().ok());
            let buffer = buffer.ok_or_else(|| error("item in transferredArrayBuffers not an ArrayBuffer"))?;
            if !buffer.is_detachable() {
                return Err(error("item in transferredArrayBuffers is not transferable"));
            }
            if buffer.was_detached() {
                let message = format!("ArrayBuffer at index {index} is already detached");
                return Err(JsErrorBox::new("DOMExceptionOperationError", message));
            }
            let id = buffers.borrow_mut().insert(buffer.get_backing_store());
            serializer.transfer_array_buffer(id, buffer);
            to_detach.push(buffer);
            let id = v8::Integer::new_from_unsigned(scope, id);
            transferred.set_index(scope, index, id.into());
        }
    }
    v8::tc_scope!(let scope, scope);
    let is_written = serializer.write_value(scope.get_current_context(), value);
    for buffer in to_detach {
        buffer.detach(None);
    }
    if scope.has_caught() || scope.has_terminated() {
        scope.rethrow();
        return Ok(None);
    }
    if is_written != Some(true) {
        return Err(error("Failed to serialize response"));
    }
    Ok(Some(serializer.release()))
}

/// Reads a value that [`write`] has written.
fn read<'s>(
    scope: &mut PinScope<'s, '_>,
    data: &[u8],
    reader: Reader<'s>,
    transferred: Option<Local<'s, Array>>,
) -> Result<Local<'s, Value>, JsErrorBox> {
    let failed = || JsErrorBox::range_error("could not deserialize value");
    let buffers = Rc::clone(&reader.buffers);
    let deserializer = v8::ValueDeserializer::new(scope, Box::new(reader), data);
    if deserializer.read_header(scope.get_current_context()) != Some(true) {
        return Err(failed());
    }
    if let Some(transferred) = transferred {
        for index in 0..transferred.length() {
            let id = transferred.get_index(scope, index).and_then(|id| id.uint32_value(scope));
            let buffer = id.and_then(|id| Some((id, buffers.borrow_mut().buffers.remove(&id)?)));
            let (id, buffer) = buffer.ok_or_else(|| error("transferred array buffer not present"))?;
            let buffer = ArrayBuffer::with_backing_store(scope, &buffer);
            deserializer.transfer_array_buffer(id, buffer);
            transferred.set_index(scope, index, buffer.into());
        }
    }
    deserializer.read_value(scope.get_current_context()).ok_or_else(failed)
}

#[op2(reentrant)]
pub(super) fn op_serialize<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    value: v8::Local<'s, v8::Value>,
    host_objects: Option<v8::Local<'s, v8::Value>>,
    transferred: Option<v8::Local<'s, v8::Value>>,
    _for_storage: bool,
    on_error: Option<v8::Local<'s, v8::Value>>,
) -> Result<Uint8Array, JsErrorBox> {
    let writer = Writer {
        host_objects: optional(host_objects, "hostObjects not an array")?,
        on_error: optional(on_error, "Invalid error callback")?,
        brand: brand(scope)?,
        buffers: TransferredBuffers::of(&mut state.borrow_mut()),
    };
    let transferred = optional(transferred, "transferredArrayBuffers not an array")?;
    // The result is not used if an exception is pending.
    Ok(write(scope, value, writer, transferred)?.unwrap_or_default().into())
}

#[op2(reentrant)]
pub(super) fn op_deserialize<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    #[buffer] data: JsBuffer,
    host_objects: Option<v8::Local<'s, v8::Value>>,
    transferred: Option<v8::Local<'s, v8::Value>>,
    deserializers: Option<v8::Local<'s, v8::Value>>,
    _for_storage: bool,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let reader = Reader {
        host_objects: optional(host_objects, "hostObjects not an array")?,
        deserializers: optional(deserializers, "deserializers not an object")?,
        buffers: TransferredBuffers::of(&mut state.borrow_mut()),
    };
    let transferred = optional(transferred, "transferredArrayBuffers not an array")?;
    read(scope, &data, reader, transferred)
}

#[op2(reentrant)]
pub(super) fn op_structured_clone<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    state: Rc<RefCell<OpState>>,
    value: v8::Local<'s, v8::Value>,
    deserializers: Option<v8::Local<'s, v8::Object>>,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let buffers = TransferredBuffers::of(&mut state.borrow_mut());
    let writer = Writer { host_objects: None, on_error: None, brand: brand(scope)?, buffers: Rc::clone(&buffers) };
    let Some(data) = write(scope, value, writer, None)? else {
        return Ok(v8::undefined(scope).into());
    };
    read(scope, &data, Reader { host_objects: None, deserializers, buffers }, None)
}
