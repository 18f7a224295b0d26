/** How another gateway is started in front of the same upstream, as data. `{...}` is filled in before it starts. */
export interface PeerAdapter {
  readonly name: string;
  /** What has to be there for it to run. */
  readonly program: string;
  /** Its arguments. `{port}`, `{dir}`, `{upstream}` and `{upstreamHost}` are filled in. */
  readonly args: readonly string[];
  /** A file written before the start, by its name in `{dir}`. */
  readonly file?: { readonly name: string; readonly text: string };
  /** A package installed into `{dir}` before the start, exactly in this version. */
  readonly npm?: string;
  /** Headers of each call, besides what every client sends. */
  readonly headers: Readonly<Record<string, string>>;
}

/** As their own documentation starts them; nothing is tuned, and nothing is switched off that is on by default. */
export const PEERS: readonly PeerAdapter[] = [
  {
    name: "nginx, proxy_pass",
    program: "nginx",
    args: ["-p", "{dir}", "-c", "{dir}/nginx.conf", "-g", "daemon off;"],
    file: {
      name: "nginx.conf",
      text: `worker_processes 1;
error_log stderr error;
pid {dir}/nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  upstream model { server {upstreamHost}; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:{port};
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_buffering off;
    }
  }
}
`,
    },
    headers: { "x-api-key": "bench" },
  },
  {
    name: "Portkey gateway 1.15.2",
    program: "node",
    args: ["{dir}/node_modules/@portkey-ai/gateway/build/start-server.js", "--port={port}", "--headless"],
    npm: "@portkey-ai/gateway@1.15.2",
    headers: {
      "x-api-key": "bench",
      authorization: "Bearer bench",
      "x-portkey-provider": "anthropic",
      "x-portkey-custom-host": "{upstream}/v1",
    },
  },
];
