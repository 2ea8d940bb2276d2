import {startAgent} from '#main/agent/testing';
import {followCommand} from '../guest-command.ts';
import {reportError} from '../report.ts';

/** First word for a command in the background. */
const unshown = '--unshown';

// A command of a guest that is this host, by the agent that guests have, with this process's streams.
await using real = await startAgent();
const words = process.argv.slice(2);
const isShown = words[0] !== unshown;
const command = await real.agent.spawn(isShown ? words : words.slice(1), {stdin: false});
const status = await followCommand(command, {interactive: false, tty: false, isShown}).catch(reportError);
process.exit(status);
