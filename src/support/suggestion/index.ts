export {suggestion} from './suggestion.ts';
