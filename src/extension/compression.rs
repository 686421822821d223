//! Ops of `CompressionStream` and `DecompressionStream` with a limit on their output.
//!
//! They replace the ops of deno_web, which buffer the whole output of a chunk: a chunk of a few kilobytes can expand to
//! gigabytes.

use std::cell::RefCell;
use std::ffi::CStr;
use std::io::{self, Write};

use brotli::{CompressorWriter, DecompressorWriter};
use deno_core::convert::Uint8Array;
use deno_core::v8::cppgc::Visitor;
use deno_core::{GarbageCollected, OpState, op2};
use deno_error::JsErrorBox;
use flate2::Compression;
use flate2::write::{DeflateDecoder, DeflateEncoder, GzDecoder, GzEncoder, ZlibDecoder, ZlibEncoder};

use super::external_memory::{Charge, ExternalMemory};

/// As in deno_web, which uses the default of nginx for responses compressed on the fly.
const BROTLI_QUALITY: u32 = 6;
/// Base-2 logarithm of the window size in bytes: 4 MiB.
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4096;

/// Estimated size in bytes of the tables and the window of a stream: deflate, zlib and gzip.
const DEFLATE_STATE: usize = 256 * 1024;
/// Estimated size in bytes of the tables and the window of a stream: Brotli.
const BROTLI_STATE: usize = 1024 * 1024;

/// Granularity in bytes in which output is charged.
const STEP: usize = 64 * 1024;

/// Collects output. Fails once the limit on external memory is exceeded.
struct Output {
    bytes: Vec<u8>,
    memory: ExternalMemory,
    charged: usize,
}

impl Output {
    fn new(memory: ExternalMemory) -> Self {
        Self { bytes: Vec::new(), memory, charged: 0 }
    }

    fn take(&mut self) -> Vec<u8> {
        self.memory.release(std::mem::take(&mut self.charged));
        std::mem::take(&mut self.bytes)
    }
}

impl Write for Output {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(data);
        while self.charged < self.bytes.len() {
            self.charged += STEP;
            self.memory.add(STEP);
            if self.memory.is_exceeded() {
                return Err(io::Error::other("the output is too large"));
            }
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.memory.release(self.charged);
    }
}

enum Coder {
    Deflate(ZlibEncoder<Output>),
    Inflate(ZlibDecoder<Output>),
    DeflateRaw(DeflateEncoder<Output>),
    InflateRaw(DeflateDecoder<Output>),
    Gzip(GzEncoder<Output>),
    Gunzip(GzDecoder<Output>),
    Brotli(Box<CompressorWriter<Output>>),
    Unbrotli(Box<DecompressorWriter<Output>>),
}

impl Coder {
    fn new(format: &str, is_decoder: bool, memory: &ExternalMemory) -> Option<Self> {
        let output = Output::new(memory.clone());
        let level = Compression::default();
        Some(match (format, is_decoder) {
            ("deflate", false) => Self::Deflate(ZlibEncoder::new(output, level)),
            ("deflate", true) => Self::Inflate(ZlibDecoder::new(output)),
            ("deflate-raw", false) => Self::DeflateRaw(DeflateEncoder::new(output, level)),
            ("deflate-raw", true) => Self::InflateRaw(DeflateDecoder::new(output)),
            ("gzip", false) => Self::Gzip(GzEncoder::new(output, level)),
            ("gzip", true) => Self::Gunzip(GzDecoder::new(output)),
            ("brotli", false) => {
                Self::Brotli(Box::new(CompressorWriter::new(output, BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW)))
            }
            ("brotli", true) => Self::Unbrotli(Box::new(DecompressorWriter::new(output, BROTLI_BUFFER))),
            _ => return None,
        })
    }

    fn write(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        // Decoders are flushed so that output appears as soon as possible. Flushing an encoder would cost compression.
        Ok(match self {
            Self::Deflate(coder) => coder.write_all(input).map(|()| coder.get_mut())?,
            Self::DeflateRaw(coder) => coder.write_all(input).map(|()| coder.get_mut())?,
            Self::Gzip(coder) => coder.write_all(input).map(|()| coder.get_mut())?,
            Self::Brotli(coder) => coder.write_all(input).map(|()| coder.get_mut())?,
            Self::Inflate(coder) => coder.write_all(input).and_then(|()| coder.flush()).map(|()| coder.get_mut())?,
            Self::InflateRaw(coder) => coder.write_all(input).and_then(|()| coder.flush()).map(|()| coder.get_mut())?,
            Self::Gunzip(coder) => coder.write_all(input).and_then(|()| coder.flush()).map(|()| coder.get_mut())?,
            Self::Unbrotli(coder) => coder.write_all(input).and_then(|()| coder.flush()).map(|()| coder.get_mut())?,
        }
        .take())
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        Ok(match self {
            Self::Deflate(coder) => coder.finish()?,
            Self::Inflate(coder) => coder.finish()?,
            Self::DeflateRaw(coder) => coder.finish()?,
            Self::InflateRaw(coder) => coder.finish()?,
            Self::Gzip(coder) => coder.finish()?,
            Self::Gunzip(coder) => coder.finish()?,
            Self::Brotli(coder) => coder.into_inner(),
            Self::Unbrotli(coder) => coder
                .into_inner()
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "brotli decompression failed"))?,
        }
        .take())
    }
}

/// A stream. `None` once it is finished.
pub(super) struct CompressionResource(RefCell<Option<(Coder, Charge)>>);

// SAFETY: it holds no references to objects of the V8 heap.
unsafe impl GarbageCollected for CompressionResource {
    fn trace(&self, _visitor: &mut Visitor) {}

    fn get_name(&self) -> &'static CStr {
        c"CompressionResource"
    }
}

fn closed() -> JsErrorBox {
    JsErrorBox::type_error("resource is closed")
}

fn failed(error: io::Error) -> JsErrorBox {
    JsErrorBox::type_error(error.to_string())
}

#[op2]
#[cppgc]
pub(super) fn op_compression_new(
    state: &mut OpState,
    #[string] format: &str,
    is_decoder: bool,
) -> Result<CompressionResource, JsErrorBox> {
    let memory = ExternalMemory::of(state);
    let coder = Coder::new(format, is_decoder, &memory).ok_or_else(|| JsErrorBox::type_error("Unsupported format"))?;
    let charge = memory.charge(if format == "brotli" { BROTLI_STATE } else { DEFLATE_STATE });
    Ok(CompressionResource(RefCell::new(Some((coder, charge)))))
}

#[op2]
pub(super) fn op_compression_write(
    #[cppgc] resource: &CompressionResource,
    #[anybuffer] input: &[u8],
) -> Result<Uint8Array, JsErrorBox> {
    let mut coder = resource.0.borrow_mut();
    let (coder, _) = coder.as_mut().ok_or_else(closed)?;
    coder.write(input).map(Into::into).map_err(failed)
}

#[op2]
pub(super) fn op_compression_finish(
    #[cppgc] resource: &CompressionResource,
    report_errors: bool,
) -> Result<Uint8Array, JsErrorBox> {
    let (coder, _charge) = resource.0.borrow_mut().take().ok_or_else(closed)?;
    match coder.finish() {
        Err(error) if report_errors => Err(failed(error)),
        output => Ok(output.unwrap_or_default().into()),
    }
}
