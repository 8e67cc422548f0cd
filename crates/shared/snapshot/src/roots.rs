//! The addresses a provider's services are found at: a base URL, and what stands between that and
//! their paths.

use config::{Place, Url};
use provider::{BaseUrl, Provider, Root};

/// Every root of a provider's endpoints. The first is the base URL alone.
pub(crate) struct Roots(Vec<&'static Root>);

impl Roots {
    pub(crate) fn new(row: &'static Provider) -> Self {
        let mut roots = vec![&Root::PLAIN];
        let by_variant = row.variants.iter().flat_map(|variant| variant.endpoints);
        for endpoint in row.endpoints.iter().chain(row.kept).chain(by_variant) {
            if !roots.contains(&endpoint.root) {
                roots.push(endpoint.root);
            }
        }
        Self(roots)
    }

    /// Which one it is.
    pub(crate) fn position(&self, root: &Root) -> usize {
        self.0.iter().position(|known| *known == root).unwrap_or_default()
    }

    /// Whether keys have a part in the addresses.
    pub(crate) fn are_by_key(&self, row: &Provider) -> bool {
        self.0.len() > 1 || matches!(row.base_url, BaseUrl::Template(_))
    }

    /// The service of AWS that each root is, where that is another than the provider's own.
    pub(crate) fn aws_services(&self) -> impl Iterator<Item = Option<&'static str>> {
        let is_storage = |root: &&Root| root.url.is_some_and(|url| url.starts_with(STORAGE));
        self.0.iter().map(move |root| is_storage(root).then_some("s3"))
    }

    /// The address of each root for something at `place`: below `given` if it is, else where the row
    /// says. None for roots that the place says too little for.
    pub(crate) fn urls(
        &self,
        row: &Provider,
        given: Option<&Url>,
        place: &Place,
    ) -> impl Iterator<Item = Option<Url>> {
        self.0.iter().map(move |root| {
            let mut url = match given {
                Some(url) => url.clone(),
                None => Url::parse(&place.fill(template(row, root)?)?).ok()?,
            };
            url.path.push_str(&place.fill(root.path)?);
            Some(url)
        })
    }
}

/// Where AWS keeps files.
const STORAGE: &str = "https://s3.";

fn template(row: &Provider, root: &Root) -> Option<&'static str> {
    root.url.or(match row.base_url {
        BaseUrl::Fixed(url) | BaseUrl::Template(url) => Some(url),
        BaseUrl::PerKey | BaseUrl::Internal => None,
    })
}
