//! The protocol room's tests from outside: what its public interface promises.

mod observer;
