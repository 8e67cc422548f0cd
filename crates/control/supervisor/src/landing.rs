//! `GET /`: what runs here, for people who open the address in a browser.

use axum::response::Html;

/// The page.
pub(crate) async fn page() -> Html<&'static str> {
    Html(PAGE)
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Bifrost</title>
<style>body { font: 16px/1.5 system-ui; max-width: 46em; margin: 3em auto; padding: 0 1em }
pre { background: #8882; padding: 1em; overflow-x: auto }</style>
<h1>Bifrost is running</h1>
<p>An AI gateway: one endpoint for every model provider. There is no web interface yet. Try:</p>
<pre>
curl localhost:8080/v1/chat/completions -d '{"model":"mock/gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
curl localhost:8080/v1/models
curl localhost:8080/metrics
</pre>
<p>The model <code>mock/gpt-4o-mini</code> is answered by the gateway itself where the mock is
configured, as it is without a configuration file. For real models put keys into
<code>config.json</code>; <code>bifrost schema</code> describes it and
<code>bifrost check FILE</code> finds mistakes in it.</p>
"#;
