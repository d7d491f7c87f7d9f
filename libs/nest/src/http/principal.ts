/** Authentication is off: everyone is the same principal, on loopback only. */
export const PRINCIPAL = 'anonymous';
