//! One server as its client sees it: where requests go, and what they all carry.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, HOST, PROXY_AUTHORIZATION};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::Full;
use url::Url;

use super::config::ClientConfig;
use super::connector::Connection;
use super::cookies::CookieJar;
use super::error::{TransportError, UrlError};
use super::http1::Http;
use super::proxy::{basic, credentials};
use crate::transport::Transport;
use crate::wire::BinaryForm;

/// Parameters that are the protocol's.
const RESERVED: [&str; 3] = ["EIO", "transport", "sid"];

/// What the requests of one connection have in common.
pub(crate) struct Endpoint {
    pub(crate) config: ClientConfig,
    /// Scheme `http` or `https`, the path, and neither query nor credentials.
    url: Url,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    jar: Option<CookieJar>,
}

impl Endpoint {
    pub(crate) fn new(url: &str, config: &ClientConfig) -> Result<Self, UrlError> {
        let parsed = Url::parse(url).map_err(|error| UrlError::Invalid(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https" | "ws" | "wss") {
            return Err(UrlError::Scheme(parsed.scheme().into()));
        }
        let mut url = super::cookies::web_url(&parsed);
        let host = url.host_str().ok_or(UrlError::NoHost)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().ok_or(UrlError::NoHost)?;

        let own: Vec<_> = parsed.query_pairs().into_owned().collect();
        let replaced =
            |name: &str| RESERVED.contains(&name) || own.iter().any(|(known, _)| known == name);
        let configured = config.query.iter().filter(|(name, _)| !replaced(name));
        let mut query: Vec<_> = configured.cloned().collect();
        query.extend(
            own.iter()
                .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
                .cloned(),
        );

        // Host, Accept, Authorization.
        let mut headers = HeaderMap::with_capacity(3 + config.headers.len());
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let authority = HeaderValue::from_str(&authority)
            .map_err(|error| UrlError::Invalid(error.to_string()))?;
        headers.insert(HOST, authority);
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some((user, password)) = credentials(&parsed) {
            headers.extend(basic(&user, &password).map(|value| (AUTHORIZATION, value)));
        }
        headers.extend(config.headers.clone());

        let mut path = config.path.clone();
        if config.trailing_slash && !path.ends_with('/') {
            path.push('/');
        }
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        // Both fail only for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self {
            config: config.clone(),
            url,
            host,
            port,
            query,
            headers,
            jar: config.cookies.jar(),
        })
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// How binary messages travel over a WebSocket.
    pub(crate) fn binary(&self) -> BinaryForm {
        if self.config.force_base64 {
            BinaryForm::Base64
        } else {
            BinaryForm::Raw
        }
    }

    /// Path and query.
    fn target(&self, transport: Transport, sid: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        query.append_pair("EIO", "4");
        query.append_pair("transport", transport.as_str());
        if self.config.force_base64 {
            query.append_pair("b64", "1");
        }
        let polling = transport == Transport::Polling;
        if self.config.timestamp_requests.unwrap_or(polling) {
            query.append_pair(&self.config.timestamp_param, &timestamp());
        }
        if let Some(sid) = sid {
            query.append_pair("sid", sid);
        }
        format!("{}?{}", self.url.path(), query.finish())
    }

    /// A request over such a connection. A query of the user's or a session id of the server's that is too long for one is an error.
    pub(crate) fn request(
        &self,
        http: &Http,
        method: Method,
        transport: Transport,
        sid: Option<&str>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, TransportError> {
        let mut target = self.target(transport, sid);
        let mut headers = self.headers.clone();
        if http.through_proxy {
            target = format!("{}{target}", self.url.origin().ascii_serialization());
            let proxy = self.config.proxy.as_ref();
            let authorization = proxy.and_then(|proxy| proxy.authorization());
            headers.extend(authorization.map(|value| (PROXY_AUTHORIZATION, value)));
        }
        if let Some(jar) = &self.jar {
            jar.apply(&self.url, &mut headers);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        let uri: Result<_, InvalidUri> = target.parse();
        *request.uri_mut() = uri.map_err(|error| TransportError::Http(Arc::new(error)))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Takes the cookies of an answer.
    pub(crate) fn take_cookies(&self, headers: &HeaderMap) {
        if let Some(jar) = &self.jar {
            jar.take(&self.url, headers);
        }
    }

    /// A new connection for requests of this transport.
    pub(crate) async fn dial(&self, transport: Transport) -> Result<Http, TransportError> {
        let proxy = self.config.proxy.as_ref();
        let (host, port) = proxy.map_or((&self.host, self.port), |proxy| (&proxy.host, proxy.port));
        let connected = self.config.connector.connect(host, port).await;
        let Connection(mut stream) = connected.map_err(|cause| TransportError::Connect {
            target: format!("{host}:{port}"),
            cause: cause.into(),
        })?;
        let mut through_proxy = false;
        if let Some(proxy) = proxy {
            through_proxy =
                proxy.takes_requests() && !self.is_secure() && transport == Transport::Polling;
            if !through_proxy {
                let tunnel = proxy.tunnel(&mut stream, &self.host, self.port);
                tunnel.await.map_err(TransportError::Proxy)?;
            }
        }
        if self.is_secure() {
            stream = self.config.tls.get()?.connect(stream, &self.host).await?;
        }
        Http::new(stream, through_proxy).await
    }

    /// Runs a request within the time that the configuration gives it.
    pub(crate) async fn in_time<T>(
        &self,
        request: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let Some(timeout) = self.config.request_timeout else {
            return request.await;
        };
        tokio::time::timeout(timeout, request)
            .await
            .unwrap_or(Err(TransportError::RequestTimeout(timeout)))
    }
}

/// Eight characters that no other request has.
fn timestamp() -> String {
    let mut random = [0; 6];
    // Without randomness a cache in between might answer; nothing worse.
    let _ = getrandom::fill(&mut random);
    BASE64_URL_SAFE_NO_PAD.encode(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, config: &ClientConfig) -> Endpoint {
        Endpoint::new(url, config).unwrap()
    }

    fn plain() -> ClientConfig {
        ClientConfig::default().timestamp_requests(false)
    }

    #[test]
    fn urls_name_host_port_and_encryption() {
        for (url, host, port, secure, header) in [
            ("http://localhost", "localhost", 80, false, "localhost"),
            ("https://localhost/", "localhost", 443, true, "localhost"),
            ("wss://localhost:443", "localhost", 443, true, "localhost"),
            (
                "ws://localhost:3000/x",
                "localhost",
                3000,
                false,
                "localhost:3000",
            ),
            ("http://[::1]", "::1", 80, false, "[::1]"),
            ("https://[::1]:8080/?a=b", "::1", 8080, true, "[::1]:8080"),
        ] {
            let endpoint = endpoint(url, &plain());
            assert_eq!(endpoint.host, host, "{url}");
            assert_eq!(endpoint.port, port, "{url}");
            assert_eq!(endpoint.is_secure(), secure, "{url}");
            assert_eq!(endpoint.headers[HOST], header, "{url}");
        }
    }

    #[test]
    fn unusable_urls_are_refused() {
        for url in [
            "",
            "localhost:3000",
            "//localhost",
            "http://",
            "ftp://localhost",
            "http://a:99999",
        ] {
            assert!(Endpoint::new(url, &plain()).is_err(), "{url}");
        }
    }

    #[test]
    fn the_query_of_the_url_comes_before_the_configuration_s() {
        let config = plain().query("a", "0").query("b", "ü &").query("EIO", "9");
        let endpoint = endpoint("http://localhost/chat?a=1&sid=x", &config);
        assert_eq!(
            endpoint.target(Transport::Polling, Some("s")),
            "/engine.io/?b=%C3%BC+%26&a=1&EIO=4&transport=polling&sid=s"
        );
    }

    #[test]
    fn the_path_ends_with_a_slash_unless_told_otherwise() {
        let target = |config: ClientConfig| {
            let target =
                endpoint("http://localhost/x/", &config).target(Transport::WebSocket, None);
            target.split_once('?').unwrap().0.to_owned()
        };
        assert_eq!(target(plain()), "/engine.io/");
        assert_eq!(target(plain().path("/a/b/")), "/a/b/");
        assert_eq!(target(plain().path("/")), "/");
        assert_eq!(target(plain().add_trailing_slash(false)), "/engine.io");
    }

    #[test]
    fn timestamps_are_polling_s_unless_told_otherwise() {
        for (config, polling, websocket) in [
            (ClientConfig::default(), true, false),
            (ClientConfig::default().timestamp_requests(true), true, true),
            (
                ClientConfig::default().timestamp_requests(false),
                false,
                false,
            ),
        ] {
            let endpoint = endpoint("http://localhost", &config.timestamp_param("woot"));
            let has = |transport| endpoint.target(transport, None).contains("&woot=");
            assert_eq!(has(Transport::Polling), polling);
            assert_eq!(has(Transport::WebSocket), websocket);
        }
        assert_eq!(timestamp().len(), 8);
        assert_ne!(timestamp(), timestamp());
    }

    #[test]
    fn credentials_of_the_url_are_sent_unless_there_is_a_header() {
        let url = "http://user:p%40ss@localhost";
        let headers = endpoint(url, &plain()).headers;
        assert_eq!(headers[AUTHORIZATION], "Basic dXNlcjpwQHNz");
        let config = plain().header(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        assert_eq!(endpoint(url, &config).headers[AUTHORIZATION], "Bearer x");
        assert!(endpoint(url, &plain()).url.username().is_empty());
    }
}
