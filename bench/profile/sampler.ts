import { Session } from "node:inspector/promises";
import { join } from "node:path";
import { PROFILE_CHANNEL, type ProfileOrder } from "./orders.ts";

/** Loaded into a thread before its own code: samples where it spends its time. */
const INTERVAL_MICROS = 250;

const session = new Session();
session.connect();
const channel = new BroadcastChannel(PROFILE_CHANNEL);
channel.onmessage = ({ data }) => void obey(data as ProfileOrder);

async function obey({ isStart, folder }: ProfileOrder): Promise<void> {
  if (isStart) {
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: INTERVAL_MICROS });
    await session.post("Profiler.start");
    return;
  }
  const { profile } = await session.post("Profiler.stop");
  await Bun.write(join(folder, `${process.env["BENCH_THREAD"]}.cpuprofile`), JSON.stringify(profile));
}
