# The package is built and packed here …
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY . .
# Without the workspace of test servers: the package doesn't need them.
RUN npm ci --workspaces=false && npm pack --pack-destination /tmp

# … and only the package goes on.
FROM node:24-bookworm-slim
RUN --mount=type=bind,from=build,source=/tmp,target=/packed \
    npm install --global --omit=dev --omit=optional /packed/pgorderly-*.tgz && npm cache clean --force
USER node
WORKDIR /home/node
ENV NODE_ENV=production HEALTH_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
    CMD node -e "fetch('http://127.0.0.1:'+process.env.HEALTH_PORT+'/healthz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"
ENTRYPOINT ["pgorderly"]
CMD ["start", "--config", "/etc/pgorderly/pgorderly.yaml"]
