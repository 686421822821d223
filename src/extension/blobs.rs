//! Blobs whose bytes count.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use deno_core::url::Url;
use deno_core::{JsBuffer, OpState, op2};
use deno_web::{Blob, BlobPart, BlobStore, BlobStoreTrait};
use parking_lot::Mutex;
use uuid::Uuid;

use super::kept::{Charge, Kept};

/// What an entry costs beside its bytes: the part or URL, and its place in a table.
const ENTRY: usize = 512;

/// The blobs of one isolate.
///
/// A part's bytes are counted by the part, which slices and URLs share: see [`op_blob_create_part`].
#[derive(Debug)]
pub(crate) struct CountedBlobStore {
    blobs: BlobStore,
    kept: Kept,
    urls: Mutex<HashMap<Url, Charge>>,
}

impl CountedBlobStore {
    pub(crate) fn new(kept: Kept) -> Self {
        Self { blobs: BlobStore::default(), kept, urls: Mutex::default() }
    }
}

impl BlobStoreTrait for CountedBlobStore {
    fn insert_part(&self, part: Arc<dyn BlobPart + Send + Sync>) -> Uuid {
        self.kept.keep(ENTRY);
        self.blobs.insert_part(part)
    }

    fn get_part(&self, id: &Uuid) -> Option<Arc<dyn BlobPart + Send + Sync>> {
        self.blobs.get_part(id)
    }

    fn remove_part(&self, id: &Uuid) -> Option<Arc<dyn BlobPart + Send + Sync>> {
        let part = self.blobs.remove_part(id)?;
        self.kept.release(ENTRY);
        Some(part)
    }

    fn get_object_url(&self, url: Url) -> Option<Arc<Blob>> {
        self.blobs.get_object_url(url)
    }

    fn insert_object_url(&self, blob: Blob, location: Option<Url>) -> Url {
        let bytes = ENTRY + blob.media_type.len() + blob.parts.len() * size_of::<Arc<dyn BlobPart>>();
        let charge = self.kept.charge(bytes);
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
struct CountedPart {
    data: Vec<u8>,
    _charge: Charge,
}

#[async_trait]
impl BlobPart for CountedPart {
    async fn read<'a>(&'a self) -> &'a [u8] {
        &self.data
    }

    fn size(&self) -> usize {
        self.data.len()
    }
}

/// In the place of the web extension's op of this name. Counts before it copies.
#[op2]
pub(super) fn op_blob_create_part(state: &mut OpState, #[buffer] data: JsBuffer) -> Uuid {
    let charge = Kept::of(state).charge(data.len());
    let store = state.borrow::<Arc<dyn BlobStoreTrait>>();
    store.insert_part(Arc::new(CountedPart { data: data.to_vec(), _charge: charge }))
}
