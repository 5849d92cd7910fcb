//! Server processes of the drill: how they start, stop and end, and their state in the kernel.

mod child;
mod child_process;
pub mod doing;
mod guardian;
mod handle;
mod owner;
mod port;
pub mod procfs;
mod server_child;

pub use child::{OwnedChild, outlive_full_disk};
pub use handle::{ProcessState, ServerProcess};
pub use owner::Owner;
pub use port::free_port;
pub use server_child::{Output, Program, Readiness, ServerChild, Supervised, a_port, last_lines, on_free_port};
