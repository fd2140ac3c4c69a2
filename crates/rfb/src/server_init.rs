//! [7.3.2] ServerInit: the first picture of the screen, without pixels.

use crate::wire::{Put, Reader};
use crate::{Misbehavior, PixelFormat, limits};

/// [7.3.2] ServerInit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerInit {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The target's natural format, in force until the viewer sets another.
    pub pixel_format: PixelFormat,
    /// Desktop name as sent; it need not be UTF-8.
    pub name: Vec<u8>,
}

impl ServerInit {
    /// Bytes before the name.
    pub const HEADER: usize = 24;

    /// Parses a whole ServerInit at the start of `bytes`: `Ok(None)` while bytes are missing, else the
    /// message and its length.
    pub fn parse(bytes: &[u8]) -> Result<Option<(ServerInit, usize)>, Misbehavior> {
        let mut r = Reader::new(bytes);
        let (Some(width), Some(height), Some(format), Some(name_len)) =
            (r.u16(), r.u16(), r.array::<16>(), r.u32())
        else {
            return Ok(None);
        };
        let pixel_format = PixelFormat::parse(format)?;
        if width > limits::DIMENSION || height > limits::DIMENSION {
            return Err(Misbehavior::ScreenSize);
        }
        let name_len = usize::try_from(name_len).map_err(|_| Misbehavior::NameTooLong)?;
        if name_len > limits::NAME {
            return Err(Misbehavior::NameTooLong);
        }
        let Some(name) = r.take(name_len) else { return Ok(None) };
        Ok(Some((ServerInit { width, height, pixel_format, name: name.to_vec() }, r.taken())))
    }

    /// Appends the message; a name over its limit is cut.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = self.name.get(..limits::NAME).unwrap_or(&self.name);
        out.put_u16(self.width);
        out.put_u16(self.height);
        self.pixel_format.write(out);
        out.put_u32(u32::try_from(name.len()).unwrap_or(0));
        out.put(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_prefix_waits() {
        let init = ServerInit {
            width: 1024,
            height: 768,
            pixel_format: PixelFormat::RGB888,
            name: b"\xa0".to_vec(),
        };
        let mut bytes = Vec::new();
        init.write(&mut bytes);
        for n in 0..bytes.len() {
            assert_eq!(ServerInit::parse(&bytes[..n]), Ok(None));
        }
        assert_eq!(ServerInit::parse(&bytes), Ok(Some((init, 25))));
    }

    #[test]
    fn a_name_of_four_gigabytes_is_refused_at_its_length() {
        let mut bytes = vec![0, 10, 0, 10];
        PixelFormat::RGB888.write(&mut bytes);
        bytes.extend_from_slice(&[0xff; 4]);
        assert_eq!(ServerInit::parse(&bytes), Err(Misbehavior::NameTooLong));
    }
}
