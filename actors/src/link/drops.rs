//! Datagrams that the kernel dropped because a socket's buffer was full, read from /proc/net.
//!
//! Invariant: reads files of the kernel and nothing else; a file that is not there is no drops.

/// How many datagrams the sockets bound to `port` have lost since they were opened.
#[must_use]
pub fn of_port(port: u16) -> u64 {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .map(|table| in_table(&table, port))
        .sum()
}

/// `local_address` is the second column, hexadecimal, the port behind a colon; `drops` is the last.
fn in_table(table: &str, port: u16) -> u64 {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let (_, local) = columns.nth(1)?.rsplit_once(':')?;
            let ours = u16::from_str_radix(local, 16).ok()? == port;
            ours.then(|| columns.last()?.parse::<u64>().ok()).flatten()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_every_socket_on_the_port_are_added() {
        let table = "  sl  local_address rem_address st tx_queue ... drops\n\
            1: 0100007F:1634 00000000:0000 07 00000000:00000000 00:00000000 0 0 0 11 2 0000 3\n\
            2: 00000000:1634 00000000:0000 07 00000000:00000000 00:00000000 0 0 0 12 2 0000 4\n\
            3: 00000000:1635 00000000:0000 07 00000000:00000000 00:00000000 0 0 0 13 2 0000 9\n";
        assert_eq!(in_table(table, 5684), 7);
        assert_eq!(in_table("", 5684), 0);
    }
}
