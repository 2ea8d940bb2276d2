/** The program from its sources, for development; users have the launcher. */
import {program} from './program.ts';

// Standard input and timers of what has ended must not keep the process.
process.exit(await program(process.argv.slice(2), process.env));
