export {A, questionName, questionType, resolver, response, truncated} from './dns-messages.ts';
