//! Keys, and where they come from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::SealError;
use crate::journal::ThreadId;

/// A secret key of 32 bytes, with a name that stands in the clear in each record that it sealed.
///
/// The bytes are never shown by `Debug`. They lie in one place, which all clones share, and are
/// overwritten when the last clone is dropped.
///
/// ```
/// use handoffs_runtime::SealKey;
///
/// // As `openssl rand -hex 32` prints it, from wherever the program keeps its secrets.
/// let secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// let key = SealKey::from_hex("2026-11", secret)?;
/// assert_eq!(format!("{key:?}"), r#"SealKey { id: "2026-11", .. }"#);
/// # Ok::<(), handoffs_runtime::SealError>(())
/// ```
#[derive(Clone)]
pub struct SealKey {
    id: Arc<str>,
    bytes: Arc<Zeroizing<[u8; 32]>>,
}

impl SealKey {
    /// Takes a key. The name may be up to 255 bytes long; what the caller holds is the caller's to
    /// overwrite.
    pub fn new(id: impl Into<Arc<str>>, bytes: &[u8; 32]) -> Self {
        // Copied to where it stays, so that none is left on the stack.
        Self::filled(id, |key| key.copy_from_slice(bytes))
    }

    /// Takes a key that is written as 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Fails if it is not; the error does not show the text.
    pub fn from_hex(id: impl Into<Arc<str>>, text: &str) -> Result<Self, SealError> {
        let mut is_hex = text.len() == 64;
        let key = Self::filled(id, |key| {
            for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
                for digit in digits {
                    let digit = match digit {
                        b'0'..=b'9' => digit - b'0',
                        b'a'..=b'f' => digit - b'a' + 10,
                        b'A'..=b'F' => digit - b'A' + 10,
                        _ => {
                            is_hex = false;
                            0
                        }
                    };
                    *byte = *byte << 4 | digit;
                }
            }
        });
        is_hex
            .then_some(key)
            .ok_or_else(|| SealError::failed("read a key", "it is not 64 hexadecimal digits"))
    }

    /// Draws a new key from the operating system. It has to be kept somewhere, or what it seals is
    /// lost: see [`expose`](Self::expose).
    ///
    /// # Errors
    ///
    /// Fails if the operating system gives no random bytes.
    pub fn random(id: impl Into<Arc<str>>) -> Result<Self, SealError> {
        let mut drawn = Ok(());
        let key = Self::filled(id, |key| drawn = getrandom::fill(key));
        drawn
            .map(|()| key)
            .map_err(|error| SealError::failed("draw a key", error))
    }

    fn filled(id: impl Into<Arc<str>>, fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut bytes = Arc::new(Zeroizing::new([0; 32]));
        // Nobody else has it yet.
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            fill(bytes);
        }
        Self {
            id: id.into(),
            bytes,
        }
    }

    /// Returns the key's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the secret itself, for a [`Sealer`](super::Sealer) or to keep a new key.
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Where keys come from: a [`SealKey`] alone, a [`KeyRing`], or a vault.
///
/// It is asked once a record, so one that fetches keys keeps those that it has got. As it is told the
/// thread, it can give each customer a key of its own: to destroy that key is to destroy all that is
/// known of the customer, backups included.
///
/// ```
/// use handoffs_runtime::{KeyProvider, KeyRing, SealError, SealKey, ThreadId, async_trait};
///
/// /// Asks for the keys of each tenant, which is the part of a thread's name before the slash.
/// #[derive(Debug)]
/// struct Tenants(Vec<(String, KeyRing)>);
///
/// impl Tenants {
///     fn ring(&self, thread: &ThreadId) -> Result<&KeyRing, SealError> {
///         let tenant = thread.as_str().split('/').next().unwrap_or_default();
///         let ring = self.0.iter().find(|(name, _)| name == tenant);
///         ring.map(|(_, ring)| ring)
///             .ok_or_else(|| SealError::keys(format!("there is no tenant `{tenant}`")))
///     }
/// }
///
/// #[async_trait]
/// impl KeyProvider for Tenants {
///     async fn current(&self, thread: &ThreadId) -> Result<SealKey, SealError> {
///         self.ring(thread)?.current(thread).await
///     }
///
///     async fn key(&self, thread: &ThreadId, id: &str) -> Result<Option<SealKey>, SealError> {
///         self.ring(thread)?.key(thread, id).await
///     }
/// }
/// ```
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// Returns the key with which new records of a thread are sealed.
    ///
    /// # Errors
    ///
    /// [`SealError::Keys`] if there is none, or it cannot be got.
    async fn current(&self, thread: &ThreadId) -> Result<SealKey, SealError>;

    /// Returns the key of this name for records of a thread; none if it does not exist any more.
    ///
    /// The name comes from a record, where anybody may have written it: it is not to be trusted.
    ///
    /// # Errors
    ///
    /// [`SealError::Keys`] if it cannot be found out.
    async fn key(&self, thread: &ThreadId, id: &str) -> Result<Option<SealKey>, SealError>;
}

/// One key, for all that was sealed and will be.
#[async_trait]
impl KeyProvider for SealKey {
    async fn current(&self, _: &ThreadId) -> Result<SealKey, SealError> {
        Ok(self.clone())
    }

    async fn key(&self, _: &ThreadId, id: &str) -> Result<Option<SealKey>, SealError> {
        Ok((*self.id == *id).then(|| self.clone()))
    }
}

/// The key for new records, and the ones before it, with which old records are still read.
///
/// ```
/// use handoffs_runtime::{KeyRing, SealKey};
///
/// let (old, new) = (SealKey::random("2026")?, SealKey::random("2027")?);
/// let ring = KeyRing::new(new).and(old);
/// # Ok::<(), handoffs_runtime::SealError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: SealKey,
    before: Vec<SealKey>,
}

impl KeyRing {
    /// Makes a ring of the key for new records.
    pub const fn new(current: SealKey) -> Self {
        let before = Vec::new();
        Self { current, before }
    }

    /// Adds a key with which records were sealed before. Of keys with the same name the first counts.
    pub fn and(mut self, before: SealKey) -> Self {
        self.before.push(before);
        self
    }
}

#[async_trait]
impl KeyProvider for KeyRing {
    async fn current(&self, _: &ThreadId) -> Result<SealKey, SealError> {
        Ok(self.current.clone())
    }

    async fn key(&self, _: &ThreadId, id: &str) -> Result<Option<SealKey>, SealError> {
        let mut keys = std::iter::once(&self.current).chain(&self.before);
        Ok(keys.find(|key| *key.id == *id).cloned())
    }
}

#[async_trait]
impl<K: KeyProvider + ?Sized> KeyProvider for Arc<K> {
    async fn current(&self, thread: &ThreadId) -> Result<SealKey, SealError> {
        (**self).current(thread).await
    }

    async fn key(&self, thread: &ThreadId, id: &str) -> Result<Option<SealKey>, SealError> {
        (**self).key(thread, id).await
    }
}
