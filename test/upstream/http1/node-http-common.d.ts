/**
 * The HTTP parser that Node and Bun use themselves (llhttp), as far as it is used here. Node does not document it;
 * its shape has been the same since Node 12. Source: `lib/_http_common.js` and `src/node_http_parser.cc` of Node.
 */
declare module "node:_http_common" {
  export class HTTPParser {
    static readonly RESPONSE: number;
    static readonly kOnHeaders: number;
    static readonly kOnHeadersComplete: number;
    /** @param headBytesMax a longer head is an error; */
    initialize(kind: number, resource: object, headBytesMax: number, leniency: number): void;
    /** How many bytes were read, or what is wrong with them: an error with a `code` that begins with `HPE_`. */
    execute(bytes: Uint8Array): number | Error;
    [callback: number]: unknown;
  }
}
