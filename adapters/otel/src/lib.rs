#![doc = include_str!("../README.md")]

mod views;

use std::time::Duration;

use handoffs::telemetry::{METRICS, TARGET};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_opentelemetry::MetricsLayer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The exporters themselves: what they trace would be exported, and traced.
const OWN: [&str; 6] = ["h2", "hyper", "opentelemetry", "reqwest", "rustls", "tower"];

/// Exports traces and metrics, as this program's only subscriber.
///
/// What is returned is to be kept until the program ends: when it is dropped, what is left is exported.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let _otel = handoffs_otel::init("support-desk")?;
/// // Run graphs.
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`Options::build`], and if the program has a subscriber already: add [`Otel::layer`] to that.
pub fn init(service: impl Into<String>) -> Result<Otel, OtelError> {
    let otel = Otel::options(service).build()?;
    let subscriber = tracing_subscriber::registry().with(otel.layer());
    subscriber.try_init()?;
    Ok(otel)
}

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtelError {
    /// The endpoint, or another setting, is none that an exporter can have.
    #[error("the exporter cannot be made")]
    Exporter(#[from] ExporterBuildError),
    /// The program has a subscriber already.
    #[error("the program has a subscriber for `tracing` already: add `Otel::layer` to that")]
    Subscriber(#[from] TryInitError),
    /// What was left could not be exported, or not in time.
    #[error("what is left could not be exported")]
    Export(#[from] OTelSdkError),
}

/// How traces and metrics are exported; [`Otel::options`] returns it.
#[derive(Clone, Debug)]
#[must_use = "nothing is exported before `build`"]
pub struct Options {
    service: String,
    endpoint: Option<String>,
    every: Option<Duration>,
    level: Level,
}

impl Options {
    /// Exports to this address, such as `http://collector:4318`, and not to the one that
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    pub fn endpoint(mut self, base: impl Into<String>) -> Self {
        self.endpoint = Some(base.into());
        self
    }

    /// Exports metrics so often; without it, as often as `OTEL_METRIC_EXPORT_INTERVAL` says, which is each
    /// minute by default.
    pub fn metrics_every(mut self, interval: Duration) -> Self {
        self.every = Some(interval);
        self
    }

    /// Exports the spans and events of `handoffs` down to this level, DEBUG by default: at INFO, those of runs,
    /// agents, models and tools; at DEBUG, of all nodes; at TRACE, of appends to the journal as well.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Makes the exporters. They export from threads of their own, so no runtime is needed.
    ///
    /// # Errors
    ///
    /// [`OtelError::Exporter`] if a setting is none that an exporter can have, such as an endpoint that is
    /// no address. Whether anybody listens there is not tried.
    pub fn build(self) -> Result<Otel, OtelError> {
        let resource = self.resource();
        let spans = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary);
        let metrics = MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary);
        let (spans, metrics) = match &self.endpoint {
            None => (spans.build()?, metrics.build()?),
            Some(base) => {
                let base = base.trim_end_matches('/');
                (
                    spans.with_endpoint(format!("{base}/v1/traces")).build()?,
                    metrics
                        .with_endpoint(format!("{base}/v1/metrics"))
                        .build()?,
                )
            }
        };
        let traces = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(spans)
            .build();
        let mut reader = PeriodicReader::builder(metrics);
        if let Some(every) = self.every {
            reader = reader.with_interval(every);
        }
        let metrics = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(reader.build())
            .with_view(views::view)
            .build();
        Ok(Otel {
            traces,
            metrics,
            level: self.level,
        })
    }

    /// Returns who exports: what the environment says comes before what the program says.
    fn resource(&self) -> Resource {
        let named = Resource::builder().build();
        let name = named.get(&"service.name".into());
        let is_named = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
        let builder = Resource::builder();
        if is_named {
            builder.build()
        } else {
            builder.with_service_name(self.service.clone()).build()
        }
    }
}

/// The exporters of traces and metrics, which are to be kept until the program ends.
///
/// When it is dropped, what is left is exported, for five seconds at most; [`shutdown`](Self::shutdown) does
/// so and says whether it could be.
///
/// ```no_run
/// use handoffs_otel::Otel;
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let otel = Otel::options("support-desk")
///     .endpoint("http://collector:4318")
///     .build()?;
/// // Beside the layers that the program has.
/// tracing_subscriber::registry().with(otel.layer()).init();
/// // Run graphs.
/// otel.shutdown()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Otel {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    level: Level,
}

impl Otel {
    /// Exports as a service of this name, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` names it.
    pub fn options(service: impl Into<String>) -> Options {
        Options {
            service: service.into(),
            endpoint: None,
            every: None,
            level: Level::DEBUG,
        }
    }

    /// Returns the layer that exports, for a subscriber of the program's own.
    ///
    /// It has a filter of its own: of `handoffs`, all metrics, and spans and events down to [`Options::level`]; of
    /// whatever else the program traces, down to INFO. Give other layers filters of their own, too, by
    /// [`with_filter`](Layer::with_filter): a filter of the whole subscriber would keep from this one what it
    /// is to export.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let exported = Targets::new()
            .with_default(Level::INFO)
            .with_target(TARGET, self.level)
            .with_targets(
                OWN.into_iter()
                    .chain([METRICS])
                    .map(|own| (own, LevelFilter::OFF)),
            );
        tracing_opentelemetry::layer()
            .with_tracer(self.traces.tracer("handoffs"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(exported)
            .and_then(MetricsLayer::new(self.metrics.clone()))
    }

    /// Exports what has been told so far, and waits for that. It blocks: on a runtime, call it where
    /// blocking is allowed.
    ///
    /// # Errors
    ///
    /// [`OtelError::Export`] if nobody takes it.
    pub fn flush(&self) -> Result<(), OtelError> {
        self.traces.force_flush()?;
        self.metrics.force_flush()?;
        Ok(())
    }

    /// Exports what is left, and ends. It blocks, as [`flush`](Self::flush) does.
    ///
    /// # Errors
    ///
    /// [`OtelError::Export`] if nobody takes it.
    pub fn shutdown(self) -> Result<(), OtelError> {
        let traces = self.traces.shutdown();
        self.metrics.shutdown()?;
        Ok(traces?)
    }
}

impl Drop for Otel {
    fn drop(&mut self) {
        // Who wants to know whether it went well calls `shutdown`, after which these do nothing.
        let patience = Duration::from_secs(5);
        let _ = self.traces.shutdown_with_timeout(patience);
        let _ = self.metrics.shutdown_with_timeout(patience);
    }
}
