"""Who workloads are: the certificate authority, who may have a certificate, and where its roots are published."""
