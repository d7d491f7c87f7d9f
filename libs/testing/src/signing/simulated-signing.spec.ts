import { signingConformance } from '../conformance/signing.js';
import { simulatedSignatureCheck, simulatedSigner } from './simulated-signing.js';

signingConformance('simulated', {
  signer: (name) => Promise.resolve(simulatedSigner(name)),
  check: () => simulatedSignatureCheck,
});
