//! Several handles that go to another table, all or none.

use abi::{Error, Handle, Rights};
use ksync::Arc;

use crate::{InFlight, Object, Reservation, Table, Undelivered};

/// The most that go at once.
pub const TOGETHER_MAX: usize = 8;

impl<T: Object> Table<T> {
    /// Brings handles, which must have the rights `needed`, to another table, and puts those there in their place: 0 for such as were
    /// revoked on the way. If the other table is sealed meanwhile they are closed, as they would be there.
    ///
    /// # Errors
    /// As [`carry`](Self::carry), and `TooMany` for more than [`TOGETHER_MAX`]. All handles are where they were then, but those that were
    /// revoked.
    pub fn carry_together(
        from: &Arc<Self>,
        handles: &mut [Handle],
        needed: Rights,
        to: &Arc<Self>,
    ) -> Result<(), Error> {
        if handles.len() > TOGETHER_MAX {
            return Err(Error::TooMany);
        }
        let mut places = [const { None }; TOGETHER_MAX];
        for (place, _) in places.iter_mut().zip(&*handles) {
            *place = Some(Reservation::new(to)?);
        }
        let mut flights: [Option<InFlight<T>>; TOGETHER_MAX] = [const { None }; TOGETHER_MAX];
        for (flight, handle) in flights.iter_mut().zip(&*handles) {
            match Self::take(from, *handle, needed) {
                Ok(taken) => *flight = Some(taken),
                Err(error) => {
                    for taken in flights.into_iter().flatten() {
                        // One that was revoked meanwhile is closed.
                        let _ = taken.put_back();
                    }
                    return Err(error);
                }
            }
        }
        for ((handle, flight), place) in handles.iter_mut().zip(flights).zip(places) {
            let (Some(flight), Some(place)) = (flight, place) else {
                continue;
            };
            *handle = match flight.deliver(place) {
                Ok(there) => there,
                // Others may have arrived, and there is no way back for all. Who has sent it has it no more in any case.
                Err(Undelivered::Revoked | Undelivered::Ended(_)) => Handle(0),
            };
        }
        Ok(())
    }
}
