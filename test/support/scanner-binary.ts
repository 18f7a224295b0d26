import { main as compile } from "assemblyscript/asc";

/** The scanner of Messages bodies: what it is written in, and what is made of that. */
export const SCANNER_SOURCE = "src/protocols/body-scan/scanner.as";
export const SCANNER_BINARY = "src/protocols/body-scan/scanner.wasm";

const ENTRY = "scanner.ts";
const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd"];

/** Compiles the scanner. The compiler only takes files that end in `.ts`, which other tools would read too. */
export async function compileScanner(): Promise<Uint8Array> {
  const source = await Bun.file(SCANNER_SOURCE).text();
  let binary: Uint8Array | undefined;
  const { error, stderr } = await compile([ENTRY, ...OPTIONS, "--outFile", "scanner.wasm"], {
    readFile: (name) => (name === ENTRY ? source : null),
    writeFile: (_name, contents) => {
      if (typeof contents !== "string") binary = contents;
    },
  });
  if (error !== null || binary === undefined) throw new Error(`the scanner does not compile\n${stderr}`);
  return binary;
}

if (import.meta.main) await Bun.write(SCANNER_BINARY, await compileScanner());
