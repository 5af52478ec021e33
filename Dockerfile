# The image of one app: docker build --build-arg APP=worker -t stripe-filemaker-bridge/worker .
# APP is ingress, worker or scheduler; stripe-simulator or filemaker-simulator for the demo. docker-compose.yml builds all.
#
# The sources are compiled once for all images. What goes into an image is pruned to its app and the command line,
# without development dependencies, and only what has changed makes a new layer.

FROM node:24-slim AS node
ENV npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_loglevel=error \
    TURBO_TELEMETRY_DISABLED=1


FROM node AS tree
WORKDIR /tree
COPY package.json ./
RUN --mount=type=cache,target=/root/.npm \
    npm install --global "turbo@$(node -p "require('./package.json').devDependencies.turbo")"
COPY . .


# What has to be compiled: everything an image is made of, with its development dependencies.
FROM tree AS sources
RUN turbo prune @bridge/ingress @bridge/worker @bridge/scheduler @bridge/cli \
      @bridge/stripe-simulator @bridge/filemaker-simulator --docker


# `npm install`, not `npm ci`: the lock file does not name every platform's packages, and `npm ci` refuses that.
# Install scripts stay off: whatever is compiled comes as a package of its own for the platform.
FROM node AS compiled
WORKDIR /tree
COPY --from=sources /tree/out/json/ ./
RUN --mount=type=cache,target=/root/.npm \
    npm pkg delete optionalDependencies && npm install --no-audit --no-fund --ignore-scripts
COPY --from=sources /tree/out/full/ /tree/tsconfig.base.json ./
RUN npx tsc -b apps/ingress apps/worker apps/scheduler packages/cli testing/stripe-simulator testing/filemaker-simulator


# The package.json files and the lock file of what runs in this image; a simulator gets no command line.
FROM tree AS pruned
RUN node deploy/image/drop-development.mjs
ARG APP
RUN test -n "$APP" || { echo 'Name the app, for example --build-arg APP=worker' >&2; exit 1; }; \
    case "$APP" in *-simulator) cli= ;; *) cli=@bridge/cli ;; esac; \
    turbo prune "@bridge/$APP" $cli --docker


FROM node AS files
WORKDIR /bridge
COPY --from=pruned /tree/out/json/ ./
RUN --mount=type=cache,target=/root/.npm npm install --no-audit --no-fund --ignore-scripts --omit=dev
RUN --mount=type=bind,from=compiled,source=/tree,target=/compiled \
    --mount=type=bind,source=deploy/image,target=/image \
    node /image/copy-runtime-files.mjs /compiled /bridge && cp /image/healthcheck.mjs .
COPY bridge ./bin/bridge
ARG APP
RUN ln -s "$(ls -d apps/$APP testing/$APP 2>/dev/null)/dist/main.js" main.js \
 && if [ -d packages/cli ]; then mv bin/bridge bridge && ln -s ../bridge bin/bridge; else rm -r bin; fi


# All files belong to root and are only read; the process is the user `node` (1000).
FROM node:24-slim
ARG APP
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Stripe–FileMaker bridge: $APP" \
      org.opencontainers.image.description="When a customer has paid at Stripe, a FileMaker script runs exactly once." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production PATH=/bridge/bin:$PATH
WORKDIR /bridge
COPY --from=files /bridge ./
USER node
STOPSIGNAL SIGTERM
CMD ["node", "/bridge/main.js"]
