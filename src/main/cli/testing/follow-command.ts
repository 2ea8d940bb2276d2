import {startAgent} from '#main/agent/testing';
import {followCommand} from '../guest-command.ts';
import {reportError} from '../report.ts';

// A command of a guest that is this host, by the agent that guests have, with this process's streams.
await using real = await startAgent();
const command = await real.agent.spawn(process.argv.slice(2), {stdin: false});
const status = await followCommand(command, {interactive: false, tty: false}).catch(reportError);
process.exit(status);
