# netsync in a container:
#
#     docker build -t netsync .
#     docker run --rm --network host netsync                     on Linux: addresses stay what they are
#     docker run --rm -p 55555:55555/udp netsync                 anywhere: see docs/running.md
#     docker run --rm -p 55560:55560/udp netsync arena 55560     another service
#
# Files that options name without a folder are in /data: add -v netsync:/data to keep them.

FROM denoland/deno:2.9.6

# What the program needs is fetched when the image is made, as deno.lock has it: nothing is at its start.
WORKDIR /netsync
COPY deno.json deno.lock main.ts ./
COPY types types
COPY lib lib
RUN deno install --frozen --entrypoint main.ts \
  && mkdir /data \
  && chown deno:deno /data

USER deno
WORKDIR /data
VOLUME /data
EXPOSE 55555/udp

ENTRYPOINT ["deno", "run", "--cached-only", "--frozen", "--no-prompt", "--allow-net", \
  "--allow-sys=networkInterfaces", "--allow-read=/data", "--allow-write=/data", "/netsync/main.ts"]
