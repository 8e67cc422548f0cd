//! The gateway inside another program.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use bifrost::{Driver, Gateway, Options, StartError};

use crate::harness::{Directory, eventually};

fn options(directory: &Directory) -> Options {
    Options {
        app_dir: directory.path().to_owned(),
        port: 0,
        workers: std::num::NonZeroUsize::new(1),
        ..Options::default()
    }
}

fn get(gateway: &Gateway, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway.addresses()[0]).expect("the gateway listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the gateway reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the gateway answers");
    reply
}

#[test]
fn it_starts_reloads_and_stops_with_either_driver() {
    for driver in [Driver::Auto, Driver::Epoll] {
        let directory = Directory::new();
        let gateway = Gateway::start(Options { driver: Some(driver), ..options(&directory) })
            .expect("a gateway");
        assert_eq!(gateway.overview().workers, 1);
        assert!(get(&gateway, "/health").contains(r#""status":"ok""#));
        let config = r#"{"providers":{"openai":{"keys":[
            {"name":"main","value":"sk-1","models":["gpt-4o"],"weight":1}]}}}"#;
        fs::write(directory.path().join("config.json"), config).expect("writable");
        gateway.reload();
        eventually("the new model is listed", || {
            get(&gateway, "/v1/models").contains("openai/gpt-4o")
        });
        let address = gateway.addresses()[0];
        gateway.stop().unwrap();
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    }
}

#[test]
fn two_run_side_by_side_and_one_address_serves_one() {
    let (directory, other) = (Directory::new(), Directory::new());
    let first = Gateway::start(options(&directory)).expect("a gateway");
    let second = Gateway::start(options(&other)).expect("another");
    assert_ne!(first.addresses(), second.addresses());
    let taken = Options { port: first.addresses()[0].port(), ..options(&other) };
    assert!(matches!(Gateway::start(taken), Err(StartError::AddressInUse(_))));
    first.stop().unwrap();
    second.stop().unwrap();
}
