import {program} from './program.ts';
import {reportError} from './report.ts';

// A bug that escapes everything else still ends in one line and a status; the exit handlers restore the terminal.
process.on('uncaughtException', (error) => process.exit(reportError(error)));

process.exit(await program(process.argv.slice(2), process.env));
