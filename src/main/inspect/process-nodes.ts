import {byteCount, type Children, duration, object} from '#support/inspect';
import {threadIds, threadNodes} from './host-threads.ts';

/** `process`: the one that hosts the machine, with all its threads. */
export const processNodes = (): Children => ({
	pid: process.pid,
	node: process.version,
	uptime: duration(Math.round(process.uptime() * 1e9)),
	memory: object(() =>
		Object.fromEntries(Object.entries(process.memoryUsage()).map(([name, value]) => [name, byteCount(value)])),
	),
	threads: object(() => Object.fromEntries(threadIds().map((tid) => [tid, object(() => threadNodes(tid))]))),
});
