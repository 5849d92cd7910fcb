//! The clients of a server, for faults that need no proxy in front of it.

use crate::lab::{LabError, Server};

/// How many clients are connected to `server`, without this harness's own line and the sentinels, which give themselves
/// names.
///
/// # Errors
/// Same as [`Admin::query`](crate::lab::Admin::query).
pub(super) async fn clients_of(server: &dyn Server) -> Result<u64, LabError> {
    let admin = server.admin();
    let own: u64 = admin.query(redis::cmd("CLIENT").arg("ID")).await?;
    let list: String = admin.query(redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("normal")).await?;
    Ok(others(&list, own))
}

fn others(list: &str, own: u64) -> u64 {
    let field = |line: &str, name: &str| {
        line.split(' ').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    let is_other =
        |line: &&str| field(line, "id=") != own.to_string() && !field(line, "name=").starts_with("sentinel-");
    list.lines().filter(|line| !line.is_empty()).filter(is_other).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_own_line_nor_sentinels_are_clients() {
        let list = "id=3 addr=127.0.0.1:5 laddr=127.0.0.1:6379 fd=8 name= age=2 db=0\n\
                    id=4 addr=127.0.0.1:6 laddr=127.0.0.1:6379 fd=9 name=sentinel-3e2f-cmd age=2 db=0\n\
                    id=33 addr=127.0.0.1:7 laddr=127.0.0.1:6379 fd=10 name=app age=2 db=0\n";
        assert_eq!((others(list, 3), others(list, 33), others("", 3)), (1, 1, 0));
    }
}
