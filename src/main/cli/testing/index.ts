export {showsOnTerminal} from './new-terminal.ts';
