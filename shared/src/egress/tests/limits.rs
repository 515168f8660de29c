//! What an answer may be.

use std::io::Write;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use wiremock::{Mock, ResponseTemplate, matchers::path};

use super::{
    calls::{egress, server, url},
    *,
};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn brotli(content: &[u8]) -> Vec<u8> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 22);
    encoder.write_all(content).unwrap();
    encoder.into_inner()
}

#[tokio::test]
async fn a_body_ends_at_ten_megabytes_after_decompression() {
    type Compress = fn(&[u8]) -> Vec<u8>;
    let encodings: [(&str, Compress); 4] = [
        ("identity", <[u8]>::to_vec),
        ("gzip", gzip),
        ("deflate", deflate),
        ("br", brotli),
    ];
    for (encoding, compress) in encodings {
        let answer = |path_: &str, length: usize| {
            let response = ResponseTemplate::new(200)
                .insert_header("content-encoding", encoding)
                .set_body_bytes(compress(&vec![0; length]));
            Mock::given(path(path_)).respond_with(response)
        };
        let server = server([
            answer("/fits", MAX_BODY_BYTES),
            answer("/bomb", MAX_BODY_BYTES + 1),
        ])
        .await;
        let egress = egress(&server);
        let fits = egress.send(get(&url("/fits"))).await.unwrap();
        assert_eq!(fits.body.len(), MAX_BODY_BYTES, "{encoding}");
        let error = egress.send(get(&url("/bomb"))).await.unwrap_err();
        assert!(
            matches!(error.reason, Error::BodyTooLarge),
            "{encoding}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_bomb_in_a_bomb_stays_packed() {
    let packed = gzip(&gzip(&vec![0; 2 * MAX_BODY_BYTES]));
    let response = ResponseTemplate::new(200)
        .insert_header("content-encoding", "gzip, gzip")
        .set_body_bytes(packed);
    let server = server([Mock::given(path("/a")).respond_with(response)]).await;
    let response = egress(&server).send(get(&url("/a"))).await.unwrap();
    assert!(response.body.len() < 1024 * 1024);
}

#[tokio::test]
async fn headers_end_at_sixty_four_kilobytes() {
    let answer = |path_: &str, length: usize| {
        let response = ResponseTemplate::new(200).insert_header("x-long", "x".repeat(length));
        Mock::given(path(path_)).respond_with(response)
    };
    let server = server([
        answer("/fits", 60 * 1024),
        answer("/long", 65 * 1024),
        answer("/endless", 1024 * 1024),
    ])
    .await;
    let egress = egress(&server);
    let fits = egress.send(get(&url("/fits"))).await.unwrap();
    assert_eq!(fits.headers["x-long"].len(), 60 * 1024);
    let error = egress.send(get(&url("/long"))).await.unwrap_err();
    assert!(matches!(error.reason, Error::HeadersTooLarge), "{error:?}");
    assert!(egress.send(get(&url("/endless"))).await.is_err());
}

#[tokio::test]
async fn a_hundred_headers_are_read_and_more_are_not() {
    let answer = |path_: &str, count: usize| {
        let response = (0..count).fold(ResponseTemplate::new(200), |response, number| {
            response.insert_header(format!("x-{number}"), "v")
        });
        Mock::given(path(path_)).respond_with(response)
    };
    let server = server([answer("/fits", 90), answer("/many", 101)]).await;
    let egress = egress(&server);
    assert!(egress.send(get(&url("/fits"))).await.is_ok());
    assert!(egress.send(get(&url("/many"))).await.is_err());
}
