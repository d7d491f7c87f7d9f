// Which Jaeger is built: v1.76.0 is Jaeger 2.13.0. The replacement is the one that its own go.mod has.
module lockstep.internal/jaeger

go 1.24.6

require github.com/jaegertracing/jaeger v1.76.0

replace github.com/Shopify/sarama => github.com/Shopify/sarama v1.33.0
