//! Framing: each message is its length in four bytes, and then the message in postcard's format.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Length of the length of a message.
const HEADER: usize = size_of::<u32>();

/// First size of the buffer of received bytes. Most messages are far smaller.
const INITIAL_BYTES: usize = 16 * 1024;

/// Free bytes below which the buffer grows.
const MIN_FREE_BYTES: usize = 4 * 1024;

/// Size of an empty buffer above which its memory is returned.
const MAX_IDLE_BYTES: usize = 1024 * 1024;

/// The other side sent something that is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::function) enum Malformed {
    #[error("a message of {length} bytes, of at most {max}")]
    TooLong { length: usize, max: usize },
    #[error("not a message")]
    Invalid,
}

/// Appends a message to a buffer.
///
/// # Errors
///
/// Fails if the message is longer than 4 GiB.
pub(in crate::function) fn encode(buffer: &mut Vec<u8>, message: &impl Serialize) -> Result<(), Malformed> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER]);
    let body = start + HEADER;
    *buffer = postcard::to_extend(message, std::mem::take(buffer)).map_err(|_| Malformed::Invalid)?;
    let length = buffer.len() - body;
    let header = u32::try_from(length).map_err(|_| Malformed::TooLong { length, max: u32::MAX as usize })?;
    buffer[start..body].copy_from_slice(&header.to_le_bytes());
    Ok(())
}

/// Received bytes.
#[derive(Debug, Default)]
pub(in crate::function) struct Inbox {
    /// Initialized beyond `end`, so that receiving does not have to.
    buffer: Vec<u8>,
    /// Start of the bytes that are not decoded.
    start: usize,
    /// End of the bytes that are received.
    end: usize,
}

impl Inbox {
    /// Receives bytes with `read`, which gets a buffer and returns the number of bytes that it wrote into it.
    ///
    /// The memory grows with what is received, not with the length that a message claims to have.
    pub(in crate::function) fn receive<E>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        if self.buffer.len() - self.end < MIN_FREE_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.buffer.len() - self.end < MIN_FREE_BYTES {
                let length = (2 * self.buffer.len()).max(INITIAL_BYTES);
                self.buffer.resize(length, 0);
            }
        }
        let received = read(&mut self.buffer[self.end..])?;
        self.end += received;
        Ok(received)
    }

    /// Decodes the next message of at most `max` bytes, and returns it with its length. None if it is not received whole.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not such a message.
    pub(in crate::function) fn next<T: DeserializeOwned>(
        &mut self,
        max: usize,
    ) -> Result<Option<(T, usize)>, Malformed> {
        let received = &self.buffer[self.start..self.end];
        let Some((header, rest)) = received.split_first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_le_bytes(*header) as usize;
        if length > max {
            return Err(Malformed::TooLong { length, max });
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let (message, rest) = postcard::take_from_bytes(body).map_err(|_| Malformed::Invalid)?;
        if !rest.is_empty() {
            return Err(Malformed::Invalid);
        }
        self.start += HEADER + length;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > MAX_IDLE_BYTES {
                self.buffer = Vec::new();
            }
        }
        Ok(Some((message, length)))
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn receive(inbox: &mut Inbox, bytes: &[u8]) {
        let received = inbox.receive(|buffer| {
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok::<_, ()>(bytes.len())
        });
        assert_eq!(received, Ok(bytes.len()));
    }

    #[test]
    fn messages_are_decoded_whole_however_they_arrive() {
        let mut bytes = Vec::new();
        for text in ["one", "", "three"] {
            encode(&mut bytes, &text).unwrap();
        }
        let mut inbox = Inbox::default();
        let mut found = Vec::new();
        for byte in bytes {
            receive(&mut inbox, &[byte]);
            found.extend(inbox.next::<String>(10).unwrap().map(|(text, _)| text));
        }
        assert_eq!(found, ["one", "", "three"]);
    }

    #[test]
    fn long_and_invalid_messages_are_refused() {
        let mut inbox = Inbox::default();
        receive(&mut inbox, &u32::MAX.to_le_bytes());
        assert_eq!(inbox.next::<String>(10), Err(Malformed::TooLong { length: u32::MAX as usize, max: 10 }));

        // A text that claims more bytes than the message has, and a message with bytes that no value needs.
        for body in [&[9, b'x'][..], &[1, b'x', 0], &[2, 0xff, 0xff]] {
            let mut inbox = Inbox::default();
            receive(&mut inbox, &(body.len() as u32).to_le_bytes());
            receive(&mut inbox, body);
            assert_eq!(inbox.next::<String>(10), Err(Malformed::Invalid), "{body:?}");
        }
    }
}
