//! Blobs whose bytes count as external memory.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use deno_core::url::Url;
use deno_core::{JsBuffer, OpState, op2};
use deno_web::{Blob, BlobPart, BlobStore, BlobStoreTrait};
use parking_lot::Mutex;
use uuid::Uuid;

use super::external_memory::{Charge, ExternalMemory};

/// Estimated overhead of an entry in bytes: the part or URL, and its slot in a table.
const ENTRY: usize = 512;

/// The blobs of one isolate.
///
/// The bytes of a part are charged once, by the part itself, which slices and URLs share: see [`op_blob_create_part`].
#[derive(Debug)]
pub(crate) struct TrackedBlobStore {
    blobs: BlobStore,
    memory: ExternalMemory,
    urls: Mutex<HashMap<Url, Charge>>,
}

impl TrackedBlobStore {
    pub(crate) fn new(memory: ExternalMemory) -> Self {
        Self { blobs: BlobStore::default(), memory, urls: Mutex::default() }
    }
}

impl BlobStoreTrait for TrackedBlobStore {
    fn insert_part(&self, part: Arc<dyn BlobPart + Send + Sync>) -> Uuid {
        self.memory.add(ENTRY);
        self.blobs.insert_part(part)
    }

    fn get_part(&self, id: &Uuid) -> Option<Arc<dyn BlobPart + Send + Sync>> {
        self.blobs.get_part(id)
    }

    fn remove_part(&self, id: &Uuid) -> Option<Arc<dyn BlobPart + Send + Sync>> {
        let part = self.blobs.remove_part(id)?;
        self.memory.release(ENTRY);
        Some(part)
    }

    fn get_object_url(&self, url: Url) -> Option<Arc<Blob>> {
        self.blobs.get_object_url(url)
    }

    fn insert_object_url(&self, blob: Blob, location: Option<Url>) -> Url {
        let bytes = ENTRY + blob.media_type.len() + blob.parts.len() * size_of::<Arc<dyn BlobPart>>();
        let charge = self.memory.charge(bytes);
        let url = self.blobs.insert_object_url(blob, location);
        self.urls.lock().insert(url.clone(), charge);
        url
    }

    fn remove_object_url(&self, url: &Url) {
        self.blobs.remove_object_url(url);
        self.urls.lock().remove(url);
    }

    fn clear(&self) {
        self.blobs.clear();
        self.urls.lock().clear();
    }
}

#[derive(Debug)]
struct TrackedPart {
    data: Vec<u8>,
    _charge: Charge,
}

#[async_trait]
impl BlobPart for TrackedPart {
    async fn read<'a>(&'a self) -> &'a [u8] {
        &self.data
    }

    fn size(&self) -> usize {
        self.data.len()
    }
}

/// Replaces the op of deno_web. Charges the bytes before it copies them.
#[op2]
pub(super) fn op_blob_create_part(state: &mut OpState, #[buffer] data: JsBuffer) -> Uuid {
    let charge = ExternalMemory::of(state).charge(data.len());
    let store = state.borrow::<Arc<dyn BlobStoreTrait>>();
    store.insert_part(Arc::new(TrackedPart { data: data.to_vec(), _charge: charge }))
}
