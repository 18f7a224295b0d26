import { Cancellation } from "#kernel/cancellation.ts";
import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import type { Lease } from "#kernel/lease.ts";
import type { RequestScope } from "#kernel/request-scope.ts";
import type { StallListener, StallWatch, Watch } from "#kernel/stall-watch.ts";

/** An account's slot, held for one exchange. */
export interface HeldAccount {
  readonly lease: Lease;
  /** Told when the exchange fails before its answer has begun, while the slot is still held. */
  readonly onFault: (fault: Fault) => void;
}

/**
 * One exchange with an upstream, from before it is sent until its last byte: whether it is still wanted, its time
 * limit, and the account's slot, which stays taken for as long as the upstream works on it.
 */
export class UpstreamCall implements StallListener {
  /** Its reason is a {@link Fault}. */
  readonly cancellation = new Cancellation();
  readonly #watch: Watch;
  readonly #lease: Lease;
  readonly #scope: RequestScope;
  readonly #onClientGone = (): void => this.cancel("admit.client_gone");
  readonly #onFault: (fault: Fault) => void;
  #limitCode: FaultCode = "upstream.timeout";
  #isOver = false;

  constructor({ lease, onFault }: HeldAccount, scope: RequestScope, stallWatch: StallWatch) {
    this.#lease = lease;
    this.#onFault = onFault;
    this.#scope = scope;
    this.#watch = stallWatch.watch(this);
    scope.onClientGone = this.#onClientGone;
    if (scope.signal.aborted) this.cancel("admit.client_gone");
  }

  /** Something must come from the upstream within this time, or the call is cancelled with this fault. */
  expectWithin(milliseconds: number, code: FaultCode): void {
    this.#limitCode = code;
    this.#watch.arm(milliseconds);
  }

  /** Nothing is expected from the upstream now. */
  expectNothing(): void {
    this.#watch.disarm();
  }

  /** Called by the watch. */
  onStall(): void {
    this.cancel(this.#limitCode);
  }

  /** Called by the watch. */
  onBreakOff(): void {
    this.cancel("gateway.stopping");
  }

  /** From here on the client's leaving is somebody else's to decide on. */
  detachFromClient(): void {
    if (this.#scope.onClientGone === this.#onClientGone) this.#scope.onClientGone = undefined;
  }

  /** Breaks the exchange off. */
  cancel(code: FaultCode): void {
    if (!this.cancellation.isCancelled) this.cancellation.cancel(new Fault(code));
  }

  /**
   * The exchange has failed before its answer began. What that means for the account is said before its slot is
   * given back, so that whoever gets the slot knows. Nothing more of the answer is wanted.
   */
  fail(fault: Fault): void {
    if (!this.#isOver) this.#onFault(fault);
    this.finish();
    this.cancellation.cancel(fault);
  }

  /** The exchange is over: gives the account's slot back. Safe to call any number of times. */
  finish(): void {
    this.#isOver = true;
    this.detachFromClient();
    this.#watch.close();
    this.#lease.release();
  }

  /** What went wrong, given what was thrown while reading: our own reason when we broke it off. */
  faultOf(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    const { reason } = this.cancellation;
    if (reason instanceof Fault) return reason;
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
    return new Fault("upstream.broken", { internal: `upstream broke off (${code})`, cause: thrown });
  }
}
