/** Runs in a network name space whose kernel is a network's guest: does what it is told by lines of JSON, and answers by such. */

import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {connect, type Socket} from 'node:net';
import {createInterface} from 'node:readline';
import {type Ends, exchange, give, keepLittle, reset, resetOf, take} from './tcp-ends.ts';

/** What the guest is to do: connect, and then what the name of it says. */
export type GuestJob =
	| {readonly what: 'interface'; readonly addresses: readonly string[]}
	| {readonly what: 'exchange' | 'give' | 'take' | 'reset' | 'resetOf'; readonly address: string}
	/** The one that takes reads now. */
	| {readonly what: 'wake'}
	| {readonly what: 'counts'};

export interface GuestAnswer extends Ends {
	/** The error that ended a connection. */
	readonly code?: string | undefined;
	/** Segments that the kernel has sent again, and those that came to it before others. */
	readonly counts?: {readonly repeated: number; readonly outOfOrder: number};
}

/** More than the kernel, the network and the host together have room for. */
const mostBytes = 8 * 2 ** 20;

let wake = Promise.withResolvers<void>();

const jobs: Readonly<Record<string, (socket: Socket) => Promise<GuestAnswer>>> = {
	exchange,
	give: (socket) => give(socket, mostBytes),
	take: (socket) => take(socket, wake.promise),
	reset,
	resetOf: async (socket) => ({code: await resetOf(socket)}),
};

const setUp = (addresses: readonly string[]) => {
	for (const address of addresses)
		execFileSync('ip', ['addr', 'add', address, 'dev', 'ovm0', ...(address.includes(':') ? ['nodad'] : [])]);
	execFileSync('ip', ['link', 'set', 'ovm0', 'up']);
};

/** A counter of the kernel's: two lines of a file begin with a name, one of names and one of numbers. */
function counter(file: string, group: string, name: string): number {
	const lines = readFileSync(`/proc/net/${file}`, 'latin1').split('\n');
	const [names = [], numbers = []] = lines
		.filter((line) => line.startsWith(`${group}: `))
		.map((line) => line.split(' '));
	return Number(numbers[names.indexOf(name)]);
}

async function answerTo(job: GuestJob): Promise<GuestAnswer> {
	if (job.what === 'interface') setUp(job.addresses);
	if (job.what === 'counts')
		return {
			counts: {
				repeated: counter('snmp', 'Tcp', 'RetransSegs'),
				outOfOrder: counter('netstat', 'TcpExt', 'TCPOFOQueue'),
			},
		};
	if (!('address' in job)) return {};
	wake = Promise.withResolvers();
	const socket = connect({port: 80, host: job.address, allowHalfOpen: true});
	return (jobs[job.what] as (typeof jobs)[string])(socket);
}

const answer = (said: GuestAnswer) => process.stdout.write(`${JSON.stringify(said)}\n`);
keepLittle();
answer({});
createInterface(process.stdin).on('line', (line) => {
	const job: GuestJob = JSON.parse(line);
	if (job.what === 'wake') wake.resolve();
	else void answerTo(job).then(answer);
});
