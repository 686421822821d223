//! CompressionStream and DecompressionStream, whose output is bounded.
//!
//! The ops take the place of the web extension's, which put the whole output of a chunk into memory: a chunk of some
//! kilobytes can have gigabytes of it.

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

use super::kept::{Charge, Kept};

/// Of the web extension: nginx's level for compression on the way.
const BROTLI_QUALITY: u32 = 6;
/// As a power of two: 4 MiB.
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4096;

/// What a stream keeps: tables and a window, the larger ones of brotli.
const DEFLATE: usize = 256 * 1024;
const BROTLI: usize = 1024 * 1024;

/// How much output is counted at a time.
const STEP: usize = 64 * 1024;

/// Takes output while it may be kept.
struct Output {
    bytes: Vec<u8>,
    kept: Kept,
    counted: usize,
}

impl Output {
    fn new(kept: Kept) -> Self {
        Self { bytes: Vec::new(), kept, counted: 0 }
    }

    fn take(&mut self) -> Vec<u8> {
        self.kept.release(std::mem::take(&mut self.counted));
        std::mem::take(&mut self.bytes)
    }
}

impl Write for Output {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(data);
        while self.counted < self.bytes.len() {
            self.counted += STEP;
            self.kept.keep(STEP);
            if self.kept.is_exceeded() {
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
        self.kept.release(self.counted);
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
    fn new(format: &str, is_decoder: bool, kept: &Kept) -> Option<Self> {
        let output = Output::new(kept.clone());
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
        // What a decoder has, it gives at once; an encoder may go on with it.
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

/// A stream, until it is finished.
pub(super) struct CompressionResource(RefCell<Option<(Coder, Charge)>>);

// SAFETY: it has nothing of the engine's.
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
    let kept = Kept::of(state);
    let coder = Coder::new(format, is_decoder, &kept).ok_or_else(|| JsErrorBox::type_error("Unsupported format"))?;
    let charge = kept.charge(if format == "brotli" { BROTLI } else { DEFLATE });
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
