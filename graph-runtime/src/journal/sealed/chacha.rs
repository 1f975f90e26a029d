//! The sealer that is ours.

use async_trait::async_trait;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use super::{KeyProvider, SealError, SealKey, Sealer, Slot};

/// Seals with XChaCha20-Poly1305, and a nonce that is drawn from the operating system for each record.
///
/// That is the construction of [RFC 8439], with the nonce of 24 bytes of
/// [draft-irtf-cfrg-xchacha-03]. The shorter nonce of the RFC must never come twice under one key, and
/// drawn at random it would after some 2³² records become likely enough to worry; to count instead
/// takes a counter that no restored backup and no second process ever sets back. Of 24 random bytes
/// nobody has to keep count.
///
/// A sealed record is: one byte for this form (1), one for the length of the key's name, the name, the
/// nonce (24 bytes), what was encrypted, and the tag (16 bytes). Authenticated beside what was encrypted
/// is all that stands before the nonce, and the [`Slot`].
///
/// [RFC 8439]: https://www.rfc-editor.org/rfc/rfc8439
/// [draft-irtf-cfrg-xchacha-03]: https://datatracker.ietf.org/doc/draft-irtf-cfrg-xchacha/03/
#[derive(Clone, Debug)]
pub struct ChaCha<K = SealKey> {
    keys: K,
}

const FORM: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

impl<K: KeyProvider> ChaCha<K> {
    /// Seals with the current key, and opens with the key that a record names.
    pub const fn new(keys: K) -> Self {
        Self { keys }
    }
}

/// Returns what is authenticated: where the record stands, and how it is sealed.
fn associated(slot: &Slot<'_>, header: &[u8]) -> Vec<u8> {
    let mut associated = slot.associated_data();
    associated.extend_from_slice(header);
    associated
}

fn cipher(key: &SealKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

#[async_trait]
impl<K: KeyProvider> Sealer for ChaCha<K> {
    async fn seal(&self, slot: &Slot<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.keys.current(slot.thread()).await?;
        let name = key.id().as_bytes();
        let length = u8::try_from(name.len())
            .map_err(|error| SealError::failed("write down the key's name", error))?;
        let header = [&[FORM, length], name].concat();

        let mut nonce = XNonce::default();
        getrandom::fill(&mut nonce).map_err(|error| SealError::failed("draw a nonce", error))?;

        let body = header.len() + NONCE;
        let mut sealed = Vec::with_capacity(body + plain.len() + TAG);
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = cipher(&key)
            .encrypt_inout_detached(
                &nonce,
                &associated(slot, &header),
                (&mut sealed[body..]).into(),
            )
            .map_err(|_| SealError::failed("encrypt the record", "it is too long"))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    async fn open(&self, slot: &Slot<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let cut_off = || SealError::malformed("its seal is cut off");
        let [form, length, rest @ ..] = sealed else {
            return Err(cut_off());
        };
        if *form != FORM {
            let reason = format!("its seal has the form {form}, and this version knows {FORM}");
            return Err(SealError::malformed(reason));
        }
        let (name, rest) = rest
            .split_at_checked((*length).into())
            .ok_or_else(cut_off)?;
        let header = &sealed[..2 + name.len()];
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(cut_off)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or_else(cut_off)?;
        let name = str::from_utf8(name)
            .map_err(|_| SealError::malformed("the name of its key is no text"))?;

        let key = self.keys.key(slot.thread(), name).await?;
        let key = key.ok_or_else(|| SealError::unknown_key(name))?;
        let mut plain = body.to_vec();
        cipher(&key)
            .decrypt_inout_detached(
                nonce.into(),
                &associated(slot, header),
                plain.as_mut_slice().into(),
                tag.into(),
            )
            .map_err(|_| SealError::refused(name))?;
        Ok(plain)
    }
}
