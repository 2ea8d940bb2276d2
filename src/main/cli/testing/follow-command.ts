import {startAgent} from '#main/agent/testing';
import {followCommand} from '../guest-command.ts';
import {reportError} from '../report.ts';

/** First word for a command in the background, with how many bytes it writes. */
const unshown = '--unshown=';
/** Status where it was not heard of all of them. */
const lost = 99;

// A command of a guest that is this host, by the agent that guests have, with this process's streams.
await using real = await startAgent();
const [first = '', ...others] = process.argv.slice(2);
const isShown = !first.startsWith(unshown);
let left = isShown ? 0 : Number(first.slice(unshown.length));
const command = await real.agent.spawn(isShown ? [first, ...others] : others, {stdin: false});
const wrote = (bytes: Uint8Array) => {
	if (!isShown) left -= bytes.length;
};
const status = await followCommand(command, {interactive: false, tty: false, isShown, wrote}).catch(reportError);
process.exit(left === 0 ? status : lost);
